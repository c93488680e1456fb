//! The arguments of the server, and of who may use it.

use std::net::SocketAddr;

use clap::{Args, Subcommand};
use windlass_core::{CredentialId, Scope};

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The address; without it `[server] listen` of the configuration, which is 127.0.0.1:8420 by default
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    pub(crate) command: TokenCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token, which is shown once; with `--workspace` it is good there only
    Create(TokenCreate),
    /// List the tokens, the sign-in links and the browsers that are signed in
    List,
    /// End a token, a sign-in link or a browser's session
    Revoke {
        /// Its id
        id: CredentialId,
    },
}

#[derive(Debug, Args)]
pub(crate) struct TokenCreate {
    /// What you call it
    #[arg(long)]
    pub(crate) name: String,
    /// What its holder may do: read, run, deploy, settle, agent, metrics, admin
    #[arg(long = "scope", value_name = "SCOPE,…", value_delimiter = ',', required = true)]
    pub(crate) scopes: Vec<Scope>,
    /// It is for the agent of this name, which never decides what is left to people
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// For how many days it is good
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub(crate) days: u32,
}
