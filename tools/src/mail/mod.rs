//! `Mail.parse`: reads a mail file (`.eml`) or a mailbox (mbox).

mod addresses;
mod file_name;
mod headers;
mod html;
mod mailbox;
mod message;

use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_core::{DataFault, Failure};
use windlass_scheduler::{Effect, Subject, Tool, ToolCall};

use self::message::MailError;
use super::files::{Roots, read_limited};
use super::method::{Method, MethodDescription, TypedTool, off_thread};

/// The tool of the namespace `Mail`.
pub(super) fn tool(roots: &Arc<Roots>, max_read_bytes: u64) -> Arc<dyn Tool> {
    Arc::new(TypedTool::new(Parse { roots: Arc::clone(roots), max_read_bytes }))
}

#[derive(Debug)]
struct Parse {
    roots: Arc<Roots>,
    max_read_bytes: u64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ParseInput {
    /// The file, for example `inbox/a.eml`.
    path: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct Mail {
    /// Without the angle brackets; null where the mail has none.
    message_id: Option<String>,
    /// `Name <address>`, an odd name in quotes, or the address alone; empty where the mail does not say.
    from: String,
    /// The receivers, each like `from`.
    to: Vec<String>,
    /// Decoded; empty where there is none.
    subject: String,
    /// When it was written by its own account: an ISO 8601 instant in UTC, or null.
    date: Option<String>,
    /// The text; where there is only HTML, what that says: a tab between cells, a line for each block.
    text: String,
    /// The HTML, or null.
    html: Option<String>,
    /// What is attached. The contents are not given.
    attachments: Vec<Attachment>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Attachment {
    /// The file name, or null.
    name: Option<String>,
    /// The media type, for example `application/pdf`.
    #[serde(rename = "type")]
    media_type: String,
    /// In bytes, decoded.
    size: u64,
}

#[async_trait]
impl Method for Parse {
    type Input = ParseInput;
    type Output = Vec<Mail>;

    fn description(&self) -> MethodDescription {
        MethodDescription {
            namespace: "Mail",
            method: "parse",
            docs: "\
Reads the mails of a file: `Mail.parse({path})` → `[{messageId, from, to, subject, date, text, html, attachments}]`.

An `.eml` file gives one mail, an mbox all of its mails in their order, and an empty file none: most likely it is still \
being written. The file is one that `Files` may use, and no \
larger than the setting `[tools.files] max_read_mib`.",
            effect: Effect::Read,
            input_types: &[("Mail", "message")],
        }
    }

    fn subject(&self, input: &ParseInput) -> Subject {
        super::files::subject(&input.path)
    }

    async fn read(&self, input: ParseInput, _call: ToolCall) -> Result<Vec<Mail>, Failure> {
        let location = self.roots.locate(&input.path).await?;
        let max_bytes = self.max_read_bytes;
        off_thread(move || mails(&read_limited(&location, max_bytes)?, &location.path)).await?
    }
}

/// An `.eml` file is one mail. Any other file that begins with an envelope line is a mailbox.
fn mails(bytes: &[u8], path: &str) -> Result<Vec<Mail>, Failure> {
    if bytes.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let bytes = headers::with_line_feeds(bytes);
    let is_one = path.to_ascii_lowercase().ends_with(".eml");
    if is_one || !mailbox::begins_with_envelope(&bytes) {
        let mail = message::read(mailbox::without_envelope(&bytes));
        return Ok(vec![mail.map_err(|err| refused(&format!("`{path}`"), &err))?]);
    }
    let mails = mailbox::mails(&bytes).into_iter().enumerate().map(|(idx, mail)| {
        message::read(&mail)
            .map_err(|err| refused(&format!("number {} of the mailbox `{path}`", idx + 1), &err))
    });
    mails.collect()
}

fn refused(mail: &str, err: &MailError) -> Failure {
    Failure::about_data(DataFault::Unreadable, format!("{mail} {err}"))
}
