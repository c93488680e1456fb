//! SIGINT and SIGTERM.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::exit::{CommandError, Result};

/// What SIGINT and SIGTERM ask for.
#[derive(Debug)]
pub(super) struct Signals {
    /// The first: stop when the runs under way have ended.
    pub(super) stop: CancellationToken,
    /// The second: stop at once, and recover what was under way at the next start.
    pub(super) stop_at_once: CancellationToken,
}

/// Listens to SIGINT and SIGTERM. `notes` say what each of them does.
pub(super) fn listen(context: &Context, notes: [&'static str; 2]) -> Result<Signals> {
    let listen = |kind| {
        signal(kind).map_err(|source| CommandError::System { attempt: "listen to signals", source })
    };
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let signals =
        Signals { stop: CancellationToken::new(), stop_at_once: CancellationToken::new() };
    let tokens = [signals.stop.clone(), signals.stop_at_once.clone()];
    let output = context.output.clone();
    tokio::spawn(async move {
        for (token, note) in tokens.iter().zip(notes) {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            output.progress(note);
            token.cancel();
        }
    });
    Ok(signals)
}
