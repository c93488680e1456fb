//! Words commands of this program, so that a person can paste them into a shell.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use clap::parser::ValueSource;
use windlass_api::service::NextStep;
use windlass_core::ResolutionKind;

use crate::cli::Cli;
use crate::config::without_password;

/// Words commands that mean the same database, configuration and workspace as the current command line.
#[derive(Debug, Clone)]
pub(crate) struct CommandHint {
    program: String,
    options: Vec<String>,
}

impl CommandHint {
    /// Takes over the program's path and the global options of a command line.
    pub(crate) fn new(program: Option<&OsString>, cli: &Cli, matches: &ArgMatches) -> Self {
        let is_given = |name| matches.value_source(name) == Some(ValueSource::CommandLine);
        let mut options = Vec::new();
        if let Some(config) = &cli.global.config {
            options.extend(["--config".to_owned(), quoted(&config.display().to_string())]);
        }
        if let Some(url) = cli.global.database.as_ref().filter(|_| is_given("database")) {
            options.extend(["--database".to_owned(), quoted(&without_password(url))]);
        }
        if is_given("workspace") {
            options.extend(["--workspace".to_owned(), quoted(cli.global.workspace())]);
        }
        let program = program.map_or_else(|| PathBuf::from("windlass"), PathBuf::from);
        // From the current folder the shorter path means the same.
        let folder = std::env::current_dir().unwrap_or_default();
        let program = program.strip_prefix(folder).unwrap_or(&program).display().to_string();
        Self { program, options }
    }

    /// Nothing but the program's name.
    pub(crate) fn plain() -> Self {
        Self { program: "windlass".to_owned(), options: Vec::new() }
    }

    /// The whole line for a command.
    pub(crate) fn command(&self, words: &str) -> String {
        let mut line = quoted(&self.program);
        for option in &self.options {
            line.push(' ');
            line.push_str(option);
        }
        format!("{line} {words}")
    }

    /// The whole line for an advised step.
    pub(crate) fn step(&self, step: &NextStep) -> String {
        self.command(&match step {
            NextStep::Deploy { workflow } => {
                format!("deploy FILE --name {} --activate", quoted(workflow))
            }
            NextStep::DeployFix { workflow } => {
                format!("deploy FILE --name {} --fix --activate", quoted(workflow))
            }
            NextStep::Activate { workflow } => format!("activate {}", quoted(workflow)),
            NextStep::Resume { workflow } => format!("resume {}", quoted(workflow)),
            NextStep::Unarchive { workflow } => format!("unarchive {}", quoted(workflow)),
            NextStep::RunOnce { workflow } => format!("run {}", quoted(workflow)),
            NextStep::ShowStatus { workflow } => format!("status {}", quoted(workflow)),
            NextStep::ShowPlan { workflow } => format!("plan show {}", quoted(workflow)),
            NextStep::StartWorker { label: None } => "up".to_owned(),
            NextStep::StartWorker { label: Some(label) } => {
                format!("up --labels {}", quoted(label))
            }
            NextStep::Limit { key } => format!("limit {}", quoted(key)),
            NextStep::ListEvents { workflow, status } => {
                format!("events {} --status {status}", quoted(workflow))
            }
            NextStep::SkipTopic { workflow, topic } => {
                format!("event --workflow {} --topic {} --skip", quoted(workflow), quoted(topic))
            }
            NextStep::Resolve { mutation, resolution } => {
                format!("resolve {mutation} {}", resolve_option(*resolution))
            }
        })
    }

    /// The same for the deployment whose configuration is `config`.
    pub(crate) fn with_config(&self, config: &Path) -> Self {
        let mut options = vec!["--config".to_owned(), quoted(&config.display().to_string())];
        options.extend(self.options.iter().cloned());
        Self { program: self.program.clone(), options }
    }
}

/// The option of `resolve`; where the person has to choose, the one that is right most often.
const fn resolve_option(resolution: Option<ResolutionKind>) -> &'static str {
    match resolution {
        None | Some(ResolutionKind::DidNotHappen) => "--did-not-happen",
        Some(ResolutionKind::Skip) => "--skip",
        Some(ResolutionKind::TryAgain) => "--try-again",
        Some(ResolutionKind::Happened) => "--happened RESULT",
    }
}

/// A word as a shell reads it.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=,+%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::invocation::Invocation;

    /// How a command line words commands.
    pub(crate) fn hint_of(words: &[&str]) -> CommandHint {
        Invocation::parse(words.iter().map(OsString::from)).unwrap().hint
    }

    #[test]
    fn an_advised_command_means_the_same_deployment() {
        let hint = |words: &[&str]| hint_of(words).command("status");

        assert_eq!(hint(&["windlass", "list"]), "windlass status");
        assert_eq!(
            hint(&["./windlass", "list", "--config", "my dir/w.toml", "--workspace", "a"]),
            "./windlass --config 'my dir/w.toml' --workspace a status"
        );
    }
}
