//! Parses the command line, runs the command, and returns the exit code.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _};
#[cfg(target_os = "linux")]
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use windlass_tools::secrets::Secrets;

use crate::cli::{Cli, Command, Global};
use crate::commands;
use crate::config::Settings;
use crate::context::{Context, connectors, environment};
use crate::exit::{CommandError, ExitStatus, Result};
use crate::faults::Faults;
use crate::forget_variable::forget_variable;
use crate::hint::CommandHint;
use crate::output::{Output, OutputFormat, print_error};
use crate::private_state::close_to_others;
use crate::telemetry::{self, Log};

/// A parsed command line.
#[derive(Debug)]
pub struct Invocation {
    cli: Cli,
    pub(crate) hint: CommandHint,
}

impl Invocation {
    /// Parses the words of a command line, the program's name first.
    ///
    /// # Errors
    /// The exit code, after help, the version or what is wrong was printed.
    pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Self, ExitCode> {
        let words: Vec<OsString> = words.into_iter().collect();
        let parsed = Cli::command()
            .try_get_matches_from(&words)
            .and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
        match parsed {
            Ok((cli, matches)) => {
                let hint = CommandHint::new(words.first(), &cli, &matches);
                Ok(Self { cli, hint })
            }
            Err(error) => Err(print_clap_error(&words, &error)),
        }
    }

    /// Reads the configuration and the secrets. The variables that secrets come from leave the environment. To be called before any
    /// other thread exists.
    #[must_use]
    pub fn load(self) -> LoadedInvocation {
        let configuration = Configuration::load(&self.cli.global);
        LoadedInvocation { invocation: self, configuration }
    }

    const fn format(&self) -> OutputFormat {
        if self.cli.global.json { OutputFormat::Json } else { OutputFormat::Text }
    }
}

/// A command line with what it says to read.
#[derive(Debug)]
pub struct LoadedInvocation {
    invocation: Invocation,
    configuration: Result<Configuration>,
}

/// The configuration of this process.
#[derive(Debug)]
struct Configuration {
    /// The current folder.
    folder: PathBuf,
    settings: Settings,
    secrets: Arc<Secrets>,
}

impl Configuration {
    fn load(global: &Global) -> Result<Self> {
        let attempt = "find out the current folder";
        let folder =
            std::env::current_dir().map_err(|source| CommandError::System { attempt, source })?;
        let settings = Settings::load(global.settings_source(), &folder)?;
        let secrets = Arc::new(Secrets::load(&settings.secrets, &settings.root, environment));
        settings.secrets.variables().for_each(forget_variable);
        Ok(Self { folder, settings, secrets })
    }
}

/// Prints help on stdout, and a wrong usage on stderr or as a JSON document.
fn print_clap_error(words: &[OsString], error: &clap::Error) -> ExitCode {
    let is_answer = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if is_answer || !words.iter().any(|word| word == "--json") {
        // clap chooses stdout or stderr. That it cannot print is told nowhere.
        let _unprinted = error.print();
    } else {
        let text = error.to_string();
        let first_part =
            text.trim_start_matches("error: ").lines().take_while(|line| !line.is_empty());
        let words = CommandHint::plain();
        let usage = CommandError::Usage {
            message: first_part.map(str::trim).collect::<Vec<_>>().join(" "),
            hint: Some(format!("see `{}`", words.command("--help"))),
        };
        print_error(OutputFormat::Json, &usage, &words);
    }
    if is_answer { ExitStatus::Done.into() } else { ExitStatus::WrongUsage.into() }
}

/// Runs a command. To be called from `main`, after V8 was initialised and before any other thread exists.
#[must_use]
pub fn run(loaded: LoadedInvocation) -> ExitCode {
    let log = telemetry::start();
    #[cfg(target_os = "linux")]
    close_memory_to_others();
    let LoadedInvocation { invocation, configuration } = loaded;
    let (format, hint) = (invocation.format(), invocation.hint.clone());
    match execute(invocation, configuration, log) {
        Ok(ending) => ending.into(),
        Err(error) => {
            print_error(format, &error, &hint);
            error.exit_status().into()
        }
    }
}

/// Lets no process of the same user read this one's memory and environment, which contain secrets. The programs of connectors are such
/// processes.
#[cfg(target_os = "linux")]
fn close_memory_to_others() {
    let closed = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    if let Err(error) = closed {
        tracing::warn!("other programs of this user can read the memory of this one: {error}");
    }
}

fn execute(
    invocation: Invocation,
    configuration: Result<Configuration>,
    log: Log,
) -> Result<ExitStatus> {
    let system = |attempt| move |source| CommandError::System { attempt, source };
    let runtime = tokio::runtime::Runtime::new().map_err(system("start the runtime"))?;
    let context = configuration.and_then(|it| new_context(&invocation, it, log));
    match context {
        Ok(context) => runtime.block_on(commands::run_command(context, invocation.cli.command)),
        Err(CommandError::Config(error)) if matches!(invocation.cli.command, Command::Doctor) => {
            commands::doctor::report_config(invocation.format(), &error)
        }
        Err(error) => Err(error),
    }
}

/// What commands are given.
fn new_context(invocation: &Invocation, configuration: Configuration, log: Log) -> Result<Context> {
    let Invocation { cli, hint } = invocation;
    let Configuration { folder, settings, secrets } = configuration;
    close_to_others(&settings);
    let zone = settings.timezone.name();
    if !windlass_sandbox::use_time_zone(zone) {
        tracing::warn!(
            zone,
            "V8 does not know this time zone: the dates of scripts are in that of the machine"
        );
    }
    log.redact(&secrets);
    let actor = actor();
    let connectors = connectors(&settings, &secrets, &actor);
    Ok(Context {
        output: Output::new(invocation.format(), settings.timezone),
        settings,
        secrets,
        connectors,
        hint: hint.clone(),
        global: cli.global.clone(),
        folder,
        actor,
        log,
        faults: Faults::from_environment().map_err(|source| CommandError::System {
            attempt: "open the trace of fault points",
            source,
        })?,
    })
}

/// Who is at the command line, for the journal.
#[expect(clippy::disallowed_methods, reason = "the one place that asks who the person is")]
fn actor() -> String {
    std::env::var("USER").ok().filter(|user| !user.is_empty()).unwrap_or_else(|| "cli".to_owned())
}
