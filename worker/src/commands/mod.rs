//! The commands, one file for each or for a small family.

mod approval;
mod check;
mod completions;
mod connectors;
mod control;
mod demo;
mod deploy;
pub(crate) mod doctor;
mod dry_run;
mod engine;
mod event;
mod granting;
mod init;
mod journal;
mod limit;
mod list;
mod login;
mod logs;
mod mcp;
mod migrate;
mod moving;
mod notifications;
mod notify;
mod plan;
mod progress;
mod prune;
mod records;
mod resolve;
mod route;
mod run;
mod serve;
mod show;
mod signals;
mod status;
mod token;
mod trust;
mod types;
mod up;
mod versions;
mod watch;
mod workers;
mod workspace;

use windlass_core::Action;

use crate::cli::Command;
use crate::context::Context;
use crate::exit::{ExitStatus, Result};

/// Runs a command. What it started has ended afterwards.
pub(crate) async fn run_command(context: Context, command: Command) -> Result<ExitStatus> {
    let connectors = context.connectors.clone();
    let ending = Box::pin(dispatch(context, command)).await;
    connectors.stop().await;
    ending
}

async fn dispatch(context: Context, command: Command) -> Result<ExitStatus> {
    match command {
        Command::Demo(args) => Box::pin(demo::run(&context, &args)).await,
        Command::Init(args) => init::run(&context, &args).await,
        Command::Check(args) => check::run(&context, &args).await,
        Command::Types => types::run(&context).await,
        Command::Trust => trust::run(&context),
        Command::Connectors(args) => connectors::run(&context, &args).await,
        Command::Deploy(args) => deploy::run(&context, &args).await,
        Command::Activate(args) => control::activate(&context, &args).await,
        Command::Pause(args) => control::control(&context, &args, Action::Pause).await,
        Command::Resume(args) => control::control(&context, &args, Action::Resume).await,
        Command::Archive(args) => control::control(&context, &args, Action::Archive).await,
        Command::Unarchive(args) => control::control(&context, &args, Action::Unarchive).await,
        Command::List(args) => list::run(&context, &args).await,
        Command::Run(args) => Box::pin(run::run(&context, &args)).await,
        Command::Up(args) => up::run(&context, &args).await,
        Command::Serve(args) => serve::run(&context, &args).await,
        Command::Login => login::run(&context).await,
        Command::Token(args) => token::run(&context, args.command).await,
        Command::Workers => workers::run(&context).await,
        Command::Limit(args) => limit::run(&context, &args).await,
        Command::Route(args) => route::run(&context, &args).await,
        Command::Status(args) => status::run(&context, &args).await,
        Command::Events(args) => records::events(&context, &args).await,
        Command::Inputs(args) => records::inputs(&context, &args).await,
        Command::Outputs(args) => records::outputs(&context, &args).await,
        Command::Runs(args) => records::runs(&context, &args).await,
        Command::Versions(args) => versions::run(&context, &args).await,
        Command::Show(args) => show::run(&context, &args).await,
        Command::Logs(args) => logs::run(&context, &args).await,
        Command::Notifications => notifications::run(&context).await,
        Command::Notify(args) => notify::run(&context, &args).await,
        Command::Event(args) => event::run(&context, &args).await,
        Command::Resolve(args) => resolve::run(&context, &args).await,
        Command::Plan(args) => Box::pin(plan::run(&context, &args)).await,
        Command::Approval(args) => approval::run(&context, &args).await,
        Command::Workspace(args) => workspace::run(&context, &args).await,
        Command::Prune(args) => prune::run(&context, &args).await,
        Command::Move(args) => moving::run(&context, &args).await,
        Command::Migrate => migrate::run(&context).await,
        Command::Journal(args) => Box::pin(journal::run(&context, args)).await,
        Command::Mcp(args) => mcp::run(&context, &args).await,
        Command::Doctor => doctor::run(&context).await,
        Command::Completions(args) => completions::run(&context, &args),
    }
}
