//! The arguments of commands about the database.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// Only count what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MoveArgs {
    /// The database to copy from: `sqlite:PATH` or `postgres://…`
    #[arg(long, value_name = "URL")]
    pub(crate) from: String,
    /// The empty database to copy to
    #[arg(long, value_name = "URL")]
    pub(crate) to: String,
}
