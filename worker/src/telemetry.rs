//! The log, on stderr: one line for each entry, without secrets and without characters that control a terminal.

use std::io::{self, Write};
use std::sync::{Arc, OnceLock};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use windlass_core::escape_line;
use windlass_tools::secrets::Secrets;

/// The log's writer, which removes secrets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    secrets: Arc<OnceLock<Arc<Secrets>>>,
}

/// Starts the log at the level of `WINDLASS_LOG`; without it warnings and errors are written.
pub(crate) fn start() -> Log {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::WARN.into())
        .with_env_var("WINDLASS_LOG")
        .from_env_lossy();
    let log = Log::default();
    let lines = tracing_subscriber::fmt().with_ansi(false).with_target(false);
    lines.with_env_filter(filter).with_writer(log.clone()).init();
    log
}

impl Log {
    /// Removes `secrets` from whatever is written from now on. Only the first call counts.
    pub(crate) fn redact(&self, secrets: &Arc<Secrets>) {
        self.secrets.get_or_init(|| Arc::clone(secrets));
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Write for Log {
    /// Is called with a whole entry at a time.
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(entry);
        let redacted = match self.secrets.get() {
            Some(secrets) => secrets.redact(&text).into_owned(),
            None => text.into_owned(),
        };
        let line = format!("{}\n", escape_line(redacted.trim_end()));
        io::stderr().write_all(line.as_bytes())?;
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
