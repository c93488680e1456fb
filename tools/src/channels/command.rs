//! A command that gets each message as JSON on its standard input.

use std::path::Path;
use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use windlass_core::crop;

use super::{CommandChannel, DeliveryError, Message};
use crate::environment::Environment;

/// How much of what a command complains about is kept.
const COMPLAINT_CHARS: usize = 400;

pub(super) async fn send(
    config: &CommandChannel,
    (root, environment): (&Path, Environment),
    message: &Message,
) -> Result<(), DeliveryError> {
    let CommandChannel { command, args } = config;
    let program = if command.contains('/') { root.join(command) } else { command.into() };
    let inherited = ["PATH", "HOME"];
    let inherited = inherited.into_iter().filter_map(|name| Some((name, environment(name)?)));
    let mut child = Command::new(program)
        .args(args)
        .current_dir(root)
        .env_clear()
        .envs(inherited)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| DeliveryError::refused(format!("`{command}` did not start: {error}")))?;
    let text = serde_json::to_vec(message).map_err(DeliveryError::refused)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that does not read its input says with its exit code whether it worked.
        let _unread = stdin.write_all(&text).await;
    }
    let ended = child.wait_with_output().await.map_err(DeliveryError::refused)?;
    if ended.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&ended.stderr);
    let complaint = crop(complaint.trim(), COMPLAINT_CHARS);
    Err(DeliveryError::refused(format!("`{command}` ended with {}: {complaint}", ended.status)))
}
