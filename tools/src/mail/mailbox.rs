//! Mailboxes: several mails in one file, each after an envelope line such as `From ann@a.example Sun Mar  1 10:00:00 2026`.
//!
//! A body may hold lines that look like the beginning of an envelope line. So an envelope line counts only at the start of the
//! file or after an empty line, and only with a date. Some programs (mboxcl) write the length of each body as `Content-Length`
//! instead of quoting such lines. It counts where the body ends before another envelope line or with the file.

const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Whether a file is a mailbox.
pub(super) fn begins_with_envelope(bytes: &[u8]) -> bool {
    is_envelope(first_line(bytes))
}

/// A mail without its envelope line, if it has one.
pub(super) fn without_envelope(bytes: &[u8]) -> &[u8] {
    if bytes.starts_with(b"From ") { after(bytes, first_line(bytes).len()) } else { bytes }
}

/// The mails of a mailbox, without their envelope lines and with their bodies unquoted.
pub(super) fn mails(mut rest: &[u8]) -> Vec<Vec<u8>> {
    let mut mails = Vec::new();
    while !rest.is_empty() {
        let mail = after(rest, first_line(rest).len());
        let len = mail_len(mail);
        mails.push(unquoted(mail.get(..len).unwrap_or(mail)));
        rest = after(mail, len);
    }
    mails
}

/// The length of the first mail of `bytes`, with the empty line before the next one.
fn mail_len(bytes: &[u8]) -> usize {
    let mut len = 0;
    let mut content_length = None;
    let mut is_header = true;
    let mut is_after_empty_line = false;
    while len < bytes.len() {
        let line = first_line(after(bytes, len));
        if is_after_empty_line && is_envelope(line) {
            break;
        }
        len += line.len();
        is_after_empty_line = line.trim_ascii_end().is_empty();
        if !is_header {
            continue;
        }
        if is_after_empty_line {
            is_header = false;
            if let Some(end) = content_length.and_then(|it| end_of_body(bytes, len, it)) {
                return end;
            }
        } else if let Some(length) = content_length_of(line) {
            content_length = Some(length);
        }
    }
    len
}

/// Where the next mail begins, if `length` is the true length of the body.
fn end_of_body(bytes: &[u8], body: usize, length: usize) -> Option<usize> {
    let mut end = body.checked_add(length).filter(|end| *end <= bytes.len())?;
    loop {
        let line = first_line(after(bytes, end));
        if line.is_empty() || is_envelope(line) {
            return Some(end);
        }
        if !line.trim_ascii_end().is_empty() {
            return None;
        }
        end += line.len();
    }
}

fn content_length_of(line: &[u8]) -> Option<usize> {
    let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
    name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok()).flatten()
}

/// Whether a line has `From `, a sender, and a date with a month, a time of day and a year.
fn is_envelope(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else { return false };
    let mut words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let has_sender = words.next().is_some();
    let date: Vec<_> = words.collect();
    let has_month = date.iter().any(|word| MONTHS.contains(word));
    let has_year = date.iter().any(|it| it.len() == 4 && it.iter().all(u8::is_ascii_digit));
    let has_time = date.iter().any(|word| {
        word.contains(&b':') && word.iter().all(|it| it.is_ascii_digit() || *it == b':')
    });
    has_sender && has_month && has_year && has_time
}

/// The mail with one `>` less before each line that begins with `>From `, `>>From ` and so on.
fn unquoted(mail: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(mail.len());
    let mut rest = mail;
    while !rest.is_empty() {
        let line = first_line(rest);
        let unquoted = line.iter().position(|it| *it != b'>').map_or(line, |n| after(line, n));
        let is_quoted = line.starts_with(b">") && unquoted.starts_with(b"From ");
        bytes.extend_from_slice(if is_quoted { after(line, 1) } else { line });
        rest = after(rest, line.len());
    }
    bytes
}

/// The first line, with its end.
fn first_line(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|it| *it == b'\n').map_or(bytes.len(), |idx| idx + 1);
    bytes.get(..end).unwrap_or(bytes)
}

fn after(bytes: &[u8], len: usize) -> &[u8] {
    bytes.get(len..).unwrap_or_default()
}
