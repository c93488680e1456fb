//! The tools that come with Windlass, none of which needs an account, and those of connectors.

mod config;
mod environment;
mod error_text;
mod files;
mod http;
mod mail;
pub mod mcp;
mod method;
mod notify;
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
    let roots = Arc::new(files::Roots::open(&config.files.roots, base_dir)?);
    let max_read_bytes = config::mib_to_bytes(config.files.max_read_mib);
    let mut tools = files::tools(&roots, max_read_bytes);
    tools.extend(http::tools(&config.http, secrets)?);
    tools.push(mail::tool(&roots, max_read_bytes));
    tools.push(notify::tool(notifier));
    Ok(tools)
}
