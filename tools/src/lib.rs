//! The tools of Windlass: what scripts can call, and the secrets that these calls use.
//!
//! # What is here
//! - [`builtin`] makes the built-in tools from a [`ToolsConfig`] (`config.rs`): `Files` (`files/`), `Http` (`http/`), `Mail`
//!   (`mail/`) and `User` (`notify.rs`). None of them needs an account.
//! - [`mcp::Connectors`] makes tools from the servers of `[mcp]`, and compares what these servers offer with what was accepted.
//! - [`secrets::Secrets`] reads secrets, fills them into configured values, and redacts them in everything that tools return.
//! - [`channels::Channels`] sends notifications by mail, to an HTTP endpoint or to a command (`channels/`).
//! - [`typescript::declarations`] describes all tools of a registry for editors and models.
//!
//! The tools go into a [`Registry`](windlass_scheduler::Registry), which checks each input and output against its schema.
//! This crate reads no environment, prints nothing and knows no command line. [`Environment`] reads variables for it.
//!
//! # How to add a method
//! 1. Write the method in a file of its namespace, or in a new file for a new namespace: an input type, an output type, and an
//!    implementation of `Method` (`method.rs`). `notify.rs` is the shortest example. A mutation passes its commit point right
//!    before its irreversible step, says for each error whether it may have had an effect (`ToolError::not_sent`,
//!    `ToolError::maybe_sent`), and looks its effect up in `reconcile` if it can.
//! 2. Add it to the list of tools of its namespace, for example `files::tools`. A new namespace is added to [`builtin`].
//! 3. If it needs a setting, add the key to `config.rs` and to `README.md`. If a producer registers what it finds as inputs, name
//!    their kind in `input_types`; a new kind is added to `scheduler/src/inputs.rs`.
//! 4. Test it in a file of `tests/it`. The expected declarations in `tests/it/types.d.ts` change.
//! 5. If it is a mutation, add it to `tests/it/commit_points.rs`, and to the crash tests of the worker (`every_tool`).

pub mod channels;
mod config;
mod environment;
mod error_text;
mod files;
mod http;
mod json;
mod mail;
pub mod mcp;
mod method;
mod notify;
mod pass_connected;
mod place;
pub mod private_file;
mod retry_after;
pub mod secrets;
mod tls;
pub mod typescript;

use std::path::Path;
use std::sync::Arc;

use windlass_scheduler::Tool;

use crate::secrets::Secrets;

pub use config::{
    EndpointConfig, FilesConfig, FoundConfig, HttpConfig, LookUpConfig, ToolsConfig,
    ToolsConfigError,
};
pub use environment::Environment;
pub use files::ensure_roots;
pub use notify::{Notification, Notifier};

/// The built-in tools, as `config` allows them, with the `secrets` that it names. Folders are relative to `base_dir`.
///
/// # Errors
/// [`ToolsConfigError`], which names the setting.
pub fn builtin(
    config: &ToolsConfig,
    secrets: &Arc<Secrets>,
    base_dir: &Path,
    notifier: Arc<dyn Notifier>,
) -> Result<Vec<Arc<dyn Tool>>, ToolsConfigError> {
    let roots = Arc::new(files::Roots::open(&config.files, base_dir)?);
    let max_read_bytes = config::mib_to_bytes(config.files.max_read_mib);
    let mut tools = files::tools(&roots, max_read_bytes);
    tools.extend(http::tools(&config.http, secrets)?);
    tools.push(mail::tool(&roots, max_read_bytes));
    tools.push(notify::tool(notifier));
    Ok(tools)
}
