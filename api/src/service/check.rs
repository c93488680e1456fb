//! Validates a script without running it.

use std::num::NonZeroUsize;

use serde::Serialize;
use windlass_core::{Capability, Grant, Manifest, Problem, ScriptLimits, digest_text};
use windlass_sandbox::{Sandbox, Script};
use windlass_scheduler::{Callable, Registry, Target};

use super::error::ServiceError;
use crate::text::nearest;

/// A script that is valid.
#[derive(Debug)]
pub struct ValidScript {
    /// The name of its file.
    pub file_name: String,
    /// Its text.
    pub source: String,
    /// What it declares.
    pub manifest: Manifest,
    /// The tools that it calls.
    pub tools: Grant,
    /// What may be a mistake.
    pub warnings: Vec<Problem>,
}

/// What a check found.
#[derive(Debug, Serialize)]
pub struct CheckReport {
    /// Whether the script is valid.
    pub ok: bool,
    /// What is wrong with it.
    pub errors: Vec<Problem>,
    /// What may be a mistake.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Problem>,
    /// What it declares.
    pub workflow: Option<Manifest>,
    /// The tools that it calls, which a deployment has to allow.
    pub tools: Grant,
}

impl From<Result<ValidScript, Vec<Problem>>> for CheckReport {
    fn from(checked: Result<ValidScript, Vec<Problem>>) -> Self {
        match checked {
            Ok(ValidScript { manifest, tools, warnings, .. }) => {
                let (ok, errors, workflow) = (true, Vec::new(), Some(manifest));
                Self { ok, errors, warnings, workflow, tools }
            }
            Err(errors) => {
                let (ok, warnings, tools) = (false, Vec::new(), Grant::default());
                Self { ok, errors, warnings, workflow: None, tools }
            }
        }
    }
}

/// Validates scripts.
#[derive(Debug)]
pub struct ScriptChecker {
    registry: Registry,
    sandbox: Sandbox,
    timezone: String,
}

impl ScriptChecker {
    /// A checker for scripts that may call what `registry` offers. `timezone` is that of schedules which name none.
    #[must_use]
    pub fn new(registry: Registry, limits: &ScriptLimits, timezone: &str) -> Self {
        let sandbox = start_sandbox(&registry, limits, 1);
        Self { registry, sandbox, timezone: timezone.to_owned() }
    }

    /// Validates the bytes of a file.
    ///
    /// # Errors
    /// Everything that is wrong with the script.
    pub async fn check(
        &self,
        file_name: &str,
        bytes: Vec<u8>,
    ) -> Result<ValidScript, Vec<Problem>> {
        let source = String::from_utf8(bytes).map_err(|error| vec![not_text(&error)])?;
        let script = Script {
            name: file_name.into(),
            digest: digest_text(&source).into(),
            source: source.as_str().into(),
        };
        let checked = self.sandbox.check(script.clone(), &self.timezone).await;
        let manifest = checked.map_err(|problems| self.with_missing_tools(problems))?;
        let called = self.sandbox.tools_of(&script).await;
        let tools = called.iter().filter(|it| self.is_tool(it)).cloned().collect();
        let warnings = self.sandbox.advise(script).await;
        Ok(ValidScript { file_name: file_name.to_owned(), source, manifest, tools, warnings })
    }

    /// Names that nothing declares are those of connectors that could not be asked, where there are such.
    fn with_missing_tools(&self, mut problems: Vec<Problem>) -> Vec<Problem> {
        for (namespace, failure) in self.registry.missing() {
            let unknown = format!("nothing is called `{namespace}`");
            let named =
                |it: &&mut Problem| it.code == "unknown_name" && it.message.starts_with(&unknown);
            for problem in problems.iter_mut().filter(named) {
                problem.code = "connector_missing".into();
                problem.message = failure.message.clone();
                problem.hint = Some("its tools are unknown until it answers".to_owned());
                problem.fix = None;
            }
        }
        problems
    }

    /// What the engine itself answers needs no permission.
    fn is_tool(&self, called: &Capability) -> bool {
        let found = self.registry.find(called.namespace(), called.method());
        found.is_some_and(|callable| matches!(callable.target(), Target::Tool(_)))
    }
}

/// Refuses names of tools that `registry` does not have.
///
/// # Errors
/// [`ServiceError::UnknownTool`] with the known name that is nearest.
pub fn require_known_tools(registry: &Registry, named: &[Capability]) -> Result<(), ServiceError> {
    let tools = registry.callables().filter(|it| matches!(it.target(), Target::Tool(_)));
    let names: Vec<_> = tools.map(Callable::name).collect();
    for capability in named {
        let name = format!("{}.{}", capability.namespace(), capability.method());
        if !names.contains(&name) {
            let known = names.iter().map(String::as_str);
            let nearest = nearest(&name, known).map(str::to_owned);
            return Err(ServiceError::UnknownTool { name, nearest });
        }
    }
    Ok(())
}

/// Starts a sandbox whose scripts can call what `registry` offers, `slots` of them at a time.
#[must_use]
pub fn start_sandbox(registry: &Registry, limits: &ScriptLimits, slots: u32) -> Sandbox {
    Sandbox::start(windlass_sandbox::Options {
        limits: limits.clone(),
        functions: registry.functions(),
        max_threads: usize::try_from(slots).unwrap_or(usize::MAX),
        cores: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
    })
}

fn not_text(error: &std::string::FromUtf8Error) -> Problem {
    let valid_up_to = error.utf8_error().valid_up_to();
    let before = error.as_bytes().get(..valid_up_to).unwrap_or_default();
    let before = String::from_utf8_lossy(before);
    let count = |n: usize| u32::try_from(n).ok();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Problem {
        line: count(before.matches('\n').count() + 1),
        column: count(column),
        ..Problem::new("not_utf8", "the file is not UTF-8 text").hint("save it as UTF-8")
    }
}
