//! The text of a body: which encoding it has.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// How much of a document is searched for its own word on its encoding, in bytes, as browsers do.
const PRESCAN_BYTES: usize = 1024;

/// The body as text. The encoding is that of its byte order mark, else the `charset` of its content type, else what an HTML or XML
/// document says of itself, else UTF-8.
pub(super) fn text(media_type: &str, charset: Option<&str>, body: &[u8]) -> String {
    let declared = charset.and_then(|it| Encoding::for_label(it.as_bytes()));
    let encoding = declared.or_else(|| own_encoding(media_type, body)).unwrap_or(UTF_8);
    encoding.decode(body).0.into_owned()
}

/// What a document says of its own encoding.
fn own_encoding(media_type: &str, body: &[u8]) -> Option<&'static Encoding> {
    let is_html = matches!(media_type, "text/html" | "application/xhtml+xml");
    let is_xml = media_type.ends_with("/xml") || media_type.ends_with("+xml");
    let beginning = body.get(..PRESCAN_BYTES).unwrap_or(body);
    let beginning = String::from_utf8_lossy(beginning).to_ascii_lowercase();
    let label = match () {
        () if is_html => in_meta(&beginning).or_else(|| in_declaration(&beginning)),
        () if is_xml => in_declaration(&beginning),
        () => None,
    };
    let encoding = Encoding::for_label(label?.as_bytes())?;
    // Whoever can read this sentence does not read UTF-16.
    let is_wide = encoding == UTF_16LE || encoding == UTF_16BE;
    Some(if is_wide { UTF_8 } else { encoding })
}

/// `<meta charset="…">`, or the same within the `content` of a `<meta http-equiv="content-type">`.
fn in_meta(html: &str) -> Option<&str> {
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        rest = after;
        let tag = after.split('>').next().unwrap_or_default();
        if let Some(label) = tag.strip_prefix("meta").and_then(|it| value_of(it, "charset")) {
            return Some(label);
        }
    }
    None
}

/// `<?xml version="1.0" encoding="…"?>`.
fn in_declaration(xml: &str) -> Option<&str> {
    let declaration = xml.trim_start().strip_prefix("<?xml")?.split("?>").next()?;
    value_of(declaration, "encoding")
}

/// The value after `name` and an equals sign.
fn value_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(name)?;
    let Some(value) = after.trim_start().strip_prefix('=') else { return value_of(after, name) };
    let value = value.trim_start().trim_start_matches(['"', '\'']);
    value.split(['"', '\'', ';', '/', ' ', '\t', '\r', '\n']).next().filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_says_its_encoding_itself() {
        for (media_type, head) in [
            ("text/html", "<!doctype html><html><head><META charset=iso-8859-1>"),
            ("text/html", "<meta name=a content='b'><meta charset = 'windows-1252' >"),
            (
                "text/html",
                "<meta http-equiv=Content-Type content=\"text/html; charset=ISO-8859-1\">",
            ),
            ("text/html", "<!-- <meta charset=utf-8> --><meta charset=latin1/>"),
            ("application/xml", "<?xml version='1.0' encoding='ISO-8859-1'?>"),
            ("application/atom+xml", "<?xml version=\"1.0\" encoding=\"latin1\"?>"),
        ] {
            let body = [head.as_bytes(), b"caf\xe9"].concat();

            assert!(text(media_type, None, &body).ends_with("café"), "{head}");
            let told = text(media_type, Some("utf-8"), &body);
            assert!(told.ends_with("caf\u{fffd}"), "the content type counts more: {head}");
        }
    }

    #[test]
    fn nothing_else_is_taken_for_such_a_word() {
        let meta = "<meta charset=latin1>";
        let far = format!("{}{meta}", " ".repeat(PRESCAN_BYTES));
        for (media_type, head) in [
            ("text/plain", meta),
            ("text/html", far.as_str()),
            ("text/html", "<meta charset=utf-16le>"),
            ("text/html", "<meta charset=>"),
            ("text/html", "<meta charset=no-such-encoding>"),
            ("text/html", "<!-- <meta charset=latin1>"),
            ("text/html", "<p>charset=latin1"),
        ] {
            let body = [head.as_bytes(), "café".as_bytes()].concat();

            assert!(text(media_type, None, &body).ends_with("café"), "{head}");
        }
    }
}
