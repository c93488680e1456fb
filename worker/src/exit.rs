//! Exit codes, and how errors are shown on the command line.

mod hints;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use windlass_api::http::BindError;
use windlass_api::mcp::ServeError;
use windlass_api::service::journal::JournalError;
use windlass_api::service::{ServiceError, store_error_code};
use windlass_core::Problem;
use windlass_core::graph::Finding;
use windlass_scheduler::{EngineError, RegistryError};
use windlass_store::StoreError;
use windlass_tools::ToolsConfigError;
use windlass_tools::mcp::ConnectorError;

use crate::config::ConfigError;
use crate::hint::CommandHint;

/// The result of a command and of its steps.
pub(crate) type Result<T, E = CommandError> = std::result::Result<T, E>;

/// How a command ended; its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// Done.
    Done,
    /// The operation failed.
    Failed,
    /// The command line or the configuration is wrong.
    WrongUsage,
    /// Something stopped and waits for a person.
    WaitsForPerson,
}

impl From<ExitStatus> for ExitCode {
    fn from(ending: ExitStatus) -> Self {
        Self::from(match ending {
            ExitStatus::Done => 0,
            ExitStatus::Failed => 1,
            ExitStatus::WrongUsage => 2,
            ExitStatus::WaitsForPerson => 3,
        })
    }
}

/// Why a command could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// What was asked makes no sense as it stands.
    #[error("{message}")]
    Usage { message: String, hint: Option<String> },
    /// What was asked cannot be done now.
    #[error("{message}")]
    Refused { code: &'static str, message: String, hint: String },
    /// A person has to settle something first.
    #[error("{message}")]
    WaitsForPerson { message: String, hint: String },
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store refuses, or does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine ended.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// An operation cannot be done, for another reason.
    #[error(transparent)]
    Service(ServiceError),
    /// The tools cannot be offered to scripts.
    #[error("cannot set up the tools")]
    Registry(#[from] RegistryError),
    /// The configuration of the tools cannot be used.
    #[error(transparent)]
    Tools(#[from] ToolsConfigError),
    /// Connectors cannot be offered to scripts.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// The address of the server cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// An agent cannot be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A script that must not be saved.
    #[error("`{file}` is no valid workflow: {} problem(s)", problems.len())]
    InvalidScript { file: String, problems: Vec<Problem> },
    /// A file or folder cannot be read or written.
    #[error("cannot {attempt} `{path}`", path = path.display())]
    File {
        /// For example `read`.
        attempt: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// The answer cannot be printed.
    #[error("cannot print the answer")]
    Print(#[source] io::Error),
    /// The operating system does not give what the program needs.
    #[error("cannot {attempt}")]
    System { attempt: &'static str, source: io::Error },
}

impl From<ServiceError> for CommandError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Store(error) => Self::Store(error),
            ServiceError::Engine(error) => Self::Engine(error),
            other @ (ServiceError::Random(_)
            | ServiceError::Journal(_)
            | ServiceError::WrongKind { .. }
            | ServiceError::BadName { .. }
            | ServiceError::NoSuchVersion { .. }
            | ServiceError::NoScript { .. }
            | ServiceError::NotActive { .. }
            | ServiceError::WaitsForPerson { .. }
            | ServiceError::GrantNotConfirmed { .. }
            | ServiceError::NeverRan { .. }
            | ServiceError::NoVersionBefore { .. }
            | ServiceError::UnknownTool { .. }
            | ServiceError::UnknownWorkflow { .. }
            | ServiceError::InvalidPlan { .. }
            | ServiceError::InvalidResult { .. }
            | ServiceError::NoActivePlan { .. }
            | ServiceError::NotAScript { .. }
            | ServiceError::OtherWorkstream { .. }
            | ServiceError::PlanGrantNotConfirmed { .. }
            | ServiceError::WrongResult { .. }) => Self::Service(other),
        }
    }
}

/// An error as `--json` prints it.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorReport<'a> {
    /// A stable word for the kind of error.
    pub(crate) code: &'static str,
    /// What was attempted and what went wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
    /// The errors that caused it, outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) causes: Vec<String>,
    /// What is wrong with a script.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) problems: &'a [Problem],
    /// What is wrong with a draft of a plan.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) findings: &'a [Finding],
    /// Which script.
    #[serde(skip)]
    pub(crate) file: &'a str,
}

impl CommandError {
    /// Wraps an error of the file system; to be used with `map_err`.
    pub(crate) fn file(
        attempt: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { attempt, path, source }
    }

    /// The exit code.
    pub(crate) const fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Usage { .. }
            | Self::Config(_)
            | Self::Tools(_)
            | Self::Service(
                ServiceError::WrongKind { .. }
                | ServiceError::BadName { .. }
                | ServiceError::UnknownTool { .. }
                | ServiceError::InvalidResult { .. }
                | ServiceError::WrongResult { .. }
                | ServiceError::Journal(
                    JournalError::PlanRefused { .. }
                    | JournalError::Contradiction { .. }
                    | JournalError::ResultTooLarge { .. }
                    | JournalError::OutOfRange { .. },
                ),
            )
            | Self::Connector(
                ConnectorError::Config { .. }
                | ConnectorError::Namespace { .. }
                | ConnectorError::Unknown { .. },
            ) => ExitStatus::WrongUsage,
            Self::WaitsForPerson { .. }
            | Self::Service(ServiceError::WaitsForPerson { .. })
            | Self::Store(StoreError::InDoubt { .. } | StoreError::WaitsForPerson { .. })
            | Self::Engine(EngineError::Store(
                StoreError::InDoubt { .. } | StoreError::WaitsForPerson { .. },
            )) => ExitStatus::WaitsForPerson,
            Self::Refused { .. }
            | Self::Service(_)
            | Self::Store(_)
            | Self::Engine(_)
            | Self::Registry(_)
            | Self::Connector(_)
            | Self::Serve(_)
            | Self::Bind(_)
            | Self::InvalidScript { .. }
            | Self::File { .. }
            | Self::Print(_)
            | Self::System { .. } => ExitStatus::Failed,
        }
    }

    /// The error with its causes and a hint, whose commands are worded by `words`.
    pub(crate) fn report(&self, words: &CommandHint) -> ErrorReport<'_> {
        let (file, problems) = if let Self::InvalidScript { file, problems } = self {
            (file.as_str(), problems.as_slice())
        } else {
            ("", &[][..])
        };
        let findings = if let Self::Service(ServiceError::InvalidPlan { findings }) = self {
            findings.as_slice()
        } else {
            &[]
        };
        let (code, message, hint) = (self.code(), self.message(), hints::of(self, words));
        ErrorReport { code, message, hint, causes: causes(self), problems, findings, file }
    }

    /// The error of the store, where it is one.
    const fn as_store_error(&self) -> Option<&StoreError> {
        if let Self::Store(error) | Self::Engine(EngineError::Store(error)) = self {
            Some(error)
        } else {
            None
        }
    }

    /// What went wrong, without the hint that the store puts into the same sentence.
    fn message(&self) -> String {
        if let Some(StoreError::NotNow { what, .. }) = self.as_store_error() {
            what.clone()
        } else if let Some(StoreError::NotRunning { workflow, reason, .. }) = self.as_store_error()
        {
            format!("`{workflow}` cannot run now, because {reason}")
        } else if let Some(StoreError::ActionRefused(refused)) = self.as_store_error() {
            format!("cannot {} a workflow that is {}", refused.action, refused.status)
        } else {
            self.to_string()
        }
    }

    const fn code(&self) -> &'static str {
        match self {
            Self::Usage { .. } => "usage",
            Self::Refused { code, .. } => code,
            Self::WaitsForPerson { .. } => "waits_for_person",
            Self::Config(_) | Self::Tools(_) => "config",
            Self::Store(error) | Self::Engine(EngineError::Store(error)) => store_error_code(error),
            Self::Service(error) => error.code(),
            Self::Engine(_) | Self::Registry(_) => "engine",
            Self::Connector(_) => "connector",
            Self::Serve(_) => "mcp",
            Self::Bind(_) => "address",
            Self::InvalidScript { .. } => "invalid_script",
            Self::File { .. } => "file",
            Self::Print(_) | Self::System { .. } => "system",
        }
    }
}

fn causes(error: &CommandError) -> Vec<String> {
    let first = std::error::Error::source(error);
    std::iter::successors(first, |error| error.source()).map(ToString::to_string).collect()
}
