//! What may stand on the command line.

mod access;
mod agents;
mod control;
mod database;
mod plans;
mod records;
mod running;
mod scripts;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use self::access::{ServeArgs, TokenArgs, TokenCommand, TokenCreate};
pub(crate) use self::agents::{ActArgs, JournalArgs, JournalCommand, McpArgs, StepArgs};
pub(crate) use self::control::{
    ActivateArgs, ControlArgs, EventArgs, LimitArgs, ResolutionArgs, ResolveArgs, RouteArgs,
};
pub(crate) use self::database::{MoveArgs, PruneArgs};
pub(crate) use self::plans::{
    ApprovalArgs, ApprovalCommand, BeginArgs, GrantArgs, PlanArgs, PlanCommand, PlanCreate,
    PlanReplace, PlanShow, PlanSubmit, WorkspaceArgs, WorkspaceCommand,
};
pub(crate) use self::records::{
    EventsArgs, ListArgs, LogsArgs, NotifyArgs, RangeArgs, RunsArgs, ShowArgs, Since, StatusArgs,
    VersionsArgs, WorkflowArgs,
};
pub(crate) use self::running::{RunArgs, UpArgs};
pub(crate) use self::scripts::{
    CheckArgs, ConnectorsArgs, DemoArgs, DemoExample, DeployArgs, InitArgs,
};

use crate::config::SettingsSource;

/// The workspace where the command line names none.
pub(crate) const DEFAULT_WORKSPACE: &str = "default";

/// Runs automations durably: every outside effect happens once, and everything that happened can be seen.
#[derive(Debug, Parser)]
#[command(name = "windlass", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = "\
An id may be shortened to any beginning or end that no other id has.
Exit codes: 0 done, 1 the operation failed, 2 wrong usage, 3 stopped and waiting for a person.
WINDLASS_LOG sets what is logged on stderr, for example WINDLASS_LOG=debug.
WINDLASS_LOG_FORMAT=json makes each line of it a JSON document.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The database: `sqlite:PATH`, `postgres://…` or `host=… user=…`; without it `.windlass/windlass.db` beside the configuration
    #[arg(long, global = true, value_name = "URL", env = "WINDLASS_DATABASE")]
    #[arg(hide_env_values = true)]
    pub(crate) database: Option<String>,
    /// The configuration; without it `windlass.toml` in this folder, if it exists
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The workspace, which keeps its workflows apart from those of others
    ///
    /// Without it, commands use the workspace `default`, and workers work for all.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) workspace: Option<String>,
    /// Answer with one JSON document on stdout; everything else goes to stderr
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl Global {
    /// The name of the workspace in which workflows are looked for.
    pub(crate) fn workspace(&self) -> &str {
        self.workspace.as_deref().unwrap_or(DEFAULT_WORKSPACE)
    }

    /// Where the configuration is read from.
    pub(crate) fn settings_source(&self) -> SettingsSource<'_> {
        SettingsSource { config: self.config.as_deref(), database: self.database.as_deref() }
    }
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: Shell,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Set up a folder with an example, run it to its end and show the result
    Demo(DemoArgs),
    /// Write a commented workflow and configuration to start from
    Init(InitArgs),
    /// Validate a workflow script without running it
    Check(CheckArgs),
    /// Print the TypeScript declarations of everything that a script can call
    Types,
    /// Let the programs start that the configuration names; needed once, and again after they were changed
    Trust,
    /// List what connectors offer, and what has changed
    Connectors(ConnectorsArgs),
    /// Save a script as a new version of a workflow
    Deploy(DeployArgs),
    /// Choose which version of a workflow runs, and let it run
    Activate(ActivateArgs),
    /// Stop a workflow for now; a handler under way finishes
    Pause(ControlArgs),
    /// Let a workflow continue after what stopped it was repaired
    Resume(ControlArgs),
    /// Archive a workflow: it does not run, and `list` hides it
    Archive(ControlArgs),
    /// Take a workflow out of the archive; it is then paused
    Unarchive(ControlArgs),
    /// List the workflows
    List(ListArgs),
    /// Run a workflow now: one session, to its end. Limits set with `limit` do not hold it back
    Run(RunArgs),
    /// Run all active workflows until SIGINT or SIGTERM; several workers share the work
    #[command(visible_alias = "worker")]
    Up(UpArgs),
    /// Serve the pages and the API, without a worker
    Serve(ServeArgs),
    /// Print a link that signs you in to the pages, once
    Login,
    /// Make, list and end the tokens of programs
    Token(TokenArgs),
    /// List the workers: where they are, what they do, and when they last reported
    Workers,
    /// Limit how many runs use a workflow, connector or host at a time, or list the limits and who uses them
    Limit(LimitArgs),
    /// Set which workers may take a workflow's runs, and how urgent those runs are
    Route(RouteArgs),
    /// Show the state of workflows; if something does not move: why, and what to do
    Status(StatusArgs),
    /// List the events of a workflow
    Events(EventsArgs),
    /// List the inputs of a workflow: what came in and caused work
    Inputs(WorkflowArgs),
    /// List the outputs of a workflow: its effects on the outside world
    Outputs(WorkflowArgs),
    /// List the handler runs of a workflow, newest first
    Runs(RunsArgs),
    /// List the versions of a workflow's script, or how two of them differ
    Versions(VersionsArgs),
    /// Show everything about one thing, given its name or id
    Show(ShowArgs),
    /// Print what a run's script logged
    Logs(LogsArgs),
    /// List what needs attention, and the messages of scripts
    Notifications,
    /// List what was sent of them by mail, to an endpoint or to a command, or test these channels
    Notify(NotifyArgs),
    /// Skip events, put parked ones back into their queue, or replay consumed ones
    Event(EventArgs),
    /// Say whether an effect happened whose outcome is unknown
    Resolve(ResolveArgs),
    /// Begin, show and steer plans of agents, people and tools
    Plan(PlanArgs),
    /// List and answer what plans ask people
    Approval(ApprovalArgs),
    /// Show or decide what holds for a workspace
    Workspace(WorkspaceArgs),
    /// Remove finished records that are older than `[retention]` says; a running worker does this by itself
    Prune(PruneArgs),
    /// Copy a stopped instance to an empty database, and seal the old one
    Move(MoveArgs),
    /// Bring the schema of the database up to date
    Migrate,
    /// Record and show what agents plan and do with tools of their own
    Journal(JournalArgs),
    /// Serve an agent over the Model Context Protocol, on stdin and stdout
    Mcp(McpArgs),
    /// Check configuration, database, disk, V8 and clock
    Doctor,
    /// Print the script that lets a shell complete commands and options
    #[command(after_help = "\
For this session of bash:  source <(windlass completions bash)
For every one of fish:     windlass completions fish > ~/.config/fish/completions/windlass.fish")]
    Completions(CompletionsArgs),
}
