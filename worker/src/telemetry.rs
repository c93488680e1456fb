//! The log, on stderr: one line for each entry, as text or as a JSON document, without secrets and without characters that control a
//! terminal.

use std::io::{self, Write};
use std::sync::{Arc, OnceLock};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use windlass_core::{escape_json, escape_line};
use windlass_tools::secrets::Secrets;

/// The variable that names the format.
const FORMAT: &str = "WINDLASS_LOG_FORMAT";

/// What a line of the log is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum LogFormat {
    /// Text for people.
    #[default]
    Text,
    /// A JSON document for programs.
    Json,
}

/// The log's writer, which removes secrets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    format: LogFormat,
    secrets: Arc<OnceLock<Arc<Secrets>>>,
}

/// Starts the log at the level of `WINDLASS_LOG`, in the format of `WINDLASS_LOG_FORMAT`; without them warnings and errors are written
/// as text.
pub(crate) fn start() -> Log {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::WARN.into())
        .with_env_var("WINDLASS_LOG")
        .from_env_lossy();
    let named = std::env::var_os(FORMAT).unwrap_or_default();
    let format = if named == "json" { LogFormat::Json } else { LogFormat::Text };
    let log = Log { format, ..Log::default() };
    let lines = tracing_subscriber::fmt().with_ansi(false).with_target(false);
    let lines = lines.with_env_filter(filter).with_writer(log.clone());
    match format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).init(),
    }
    if format == LogFormat::Text && !named.is_empty() && named != "text" {
        tracing::warn!(
            "`{FORMAT}` is {named:?}, which is neither `text` nor `json`: the log is text"
        );
    }
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
        let entry_text = redacted.trim_end();
        let line = match self.format {
            LogFormat::Text => format!("{}\n", escape_line(entry_text)),
            LogFormat::Json => format!("{}\n", escape_json(entry_text)),
        };
        io::stderr().write_all(line.as_bytes())?;
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
