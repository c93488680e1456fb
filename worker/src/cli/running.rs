//! The arguments of commands that run workflows.

use std::net::SocketAddr;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The workflow's name or id
    #[arg(value_name = "NAME")]
    pub(crate) workflow: String,
    /// Try it out: the real script on real inputs, but nothing is sent or changed
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// How many handlers run at once; without it `[worker] slots` of the configuration
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) slots: Option<u32>,
    /// Also serve the pages and the API there, for example on 127.0.0.1:8420
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Also take the runs of workflows that ask for one of these labels
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) labels: Vec<String>,
}
