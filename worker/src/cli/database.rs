//! The arguments of commands about the database.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// Only tell how much would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MoveArgs {
    /// The database that everything is in: `sqlite:PATH` or `postgres://…`
    #[arg(long, value_name = "URL")]
    pub(crate) from: String,
    /// The empty database that everything goes to
    #[arg(long, value_name = "URL")]
    pub(crate) to: String,
}
