//! The arguments of commands about scripts: set up, check, deploy.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use windlass_core::Capability;

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The folder; it is created if it does not exist
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Which example
    #[arg(value_enum, default_value_t = DemoExample::Receipts)]
    pub(crate) example: DemoExample,
    /// The folder, which is created if it does not exist; without it `windlass-demo` or `windlass-demo-plan`
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
    /// Then keep it running and serve its pages there, without an address on 127.0.0.1:8420
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:8420")]
    pub(crate) serve: Option<SocketAddr>,
}

/// An example that can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DemoExample {
    /// A script that reads mails and keeps a ledger of payments
    Receipts,
    /// A plan of tools and people that publishes release notes
    Plan,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The script
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// The script
    pub(crate) file: PathBuf,
    /// The workflow's name; the first script of a name makes the workflow
    #[arg(long)]
    pub(crate) name: String,
    /// Also let this version run
    #[arg(long)]
    pub(crate) activate: bool,
    /// What the script may call, for example Files.append,Http.post:api.example.com; without it, the calls that `check` finds
    #[arg(long, value_name = "TOOLS", value_delimiter = ',')]
    pub(crate) allow: Vec<Capability>,
    /// Allow what it calls without asking; needed where nobody can be asked, unless `--allow` is given
    #[arg(long)]
    pub(crate) yes: bool,
    /// It is a repair: same topics, schedules and message ids
    #[arg(long)]
    pub(crate) fix: bool,
    /// Put back the events that the version before it parked; on a terminal it asks
    #[arg(long, requires_all = ["fix", "activate"])]
    pub(crate) put_back: bool,
    /// What changed in this version
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) comment: String,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectorsArgs {
    /// Accept what this connector offers now, so that scripts can use it
    #[arg(long, value_name = "NAME")]
    pub(crate) accept: Option<String>,
}
