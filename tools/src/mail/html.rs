//! HTML as text. What a reader sees apart is apart: cells by tabs; blocks, rows and items of lists by line breaks.

use mail_parser::decoders::html::add_html_token;

/// Elements that stand on lines of their own.
const BLOCKS: [&str; 38] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "caption",
    "center",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "main",
    "nav",
    "ol",
    "optgroup",
    "option",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tr",
    "ul",
];

/// Elements whose content is not shown.
const HIDDEN: [&str; 4] = ["script", "style", "template", "title"];

/// The longest name or number of a character reference.
const MAX_REFERENCE_BYTES: usize = 32;

/// The text that a reader of `html` sees.
pub(super) fn html_to_text(html: &str) -> String {
    let mut text = Text::default();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let (before, tag) = rest.split_at(start);
        text.add(before);
        rest = match Markup::first_of(tag) {
            Some(Markup { name, is_end, len }) => {
                let after = tag.get(len..).unwrap_or_default();
                text.element(&name, is_end);
                if HIDDEN.contains(&name.as_str()) && !is_end {
                    after_end_of(after, &name)
                } else {
                    after
                }
            }
            None => {
                text.add("<");
                tag.get(1..).unwrap_or_default()
            }
        };
    }
    text.add(rest);
    text.out
}

/// A tag, or a comment, which has no name.
#[derive(Debug)]
struct Markup {
    name: String,
    is_end: bool,
    len: usize,
}

impl Markup {
    /// `text` begins with `<`.
    fn first_of(text: &str) -> Option<Self> {
        if text.starts_with("<!--") {
            let len = text.find("-->").map_or(text.len(), |idx| idx + 3);
            return Some(Self { name: String::new(), is_end: false, len });
        }
        let is_end = text.starts_with("</");
        let content = text.get(if is_end { 2 } else { 1 }..)?;
        if !content.starts_with(|it: char| it.is_ascii_alphabetic() || matches!(it, '!' | '?')) {
            return None;
        }
        let name = content.split(|it: char| !it.is_ascii_alphanumeric()).next().unwrap_or_default();
        Some(Self { name: name.to_ascii_lowercase(), is_end, len: tag_len(text) })
    }
}

/// The length of a tag. A `>` within the quoted value of an attribute does not end it.
fn tag_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut is_value = false;
    let mut idx = 1;
    while let Some(byte) = bytes.get(idx) {
        match byte {
            b'>' => return idx + 1,
            b'"' | b'\'' if is_value => {
                let mut value = bytes.get(idx + 1..).unwrap_or_default().iter();
                // A quote that is never closed is none.
                idx += value.position(|it| it == byte).map_or(0, |len| len + 1);
                is_value = false;
            }
            b'=' => is_value = true,
            _ if byte.is_ascii_whitespace() => {}
            _ => is_value = false,
        }
        idx += 1;
    }
    text.len()
}

/// What follows the end tag of an element whose content is not shown.
fn after_end_of<'x>(text: &'x str, name: &str) -> &'x str {
    let end = format!("</{name}");
    let start =
        text.as_bytes().windows(end.len()).position(|it| it.eq_ignore_ascii_case(end.as_bytes()));
    let Some(tag) = start.and_then(|idx| text.get(idx..)) else { return "" };
    tag.get(tag_len(tag)..).unwrap_or_default()
}

/// The text so far, and what separates it from the next word.
#[derive(Debug, Default)]
struct Text {
    out: String,
    gap: Gap,
    n_open_pre: usize,
}

/// What separates two words. The greater one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Gap {
    #[default]
    None,
    Blank,
    Cell,
    Line,
}

impl Text {
    fn element(&mut self, name: &str, is_end: bool) {
        match name {
            "br" => {
                self.gap = Gap::None;
                self.out.push('\n');
            }
            "td" | "th" => self.separate(Gap::Cell),
            _ if BLOCKS.contains(&name) => self.separate(Gap::Line),
            _ => {}
        }
        if name == "pre" {
            self.n_open_pre =
                if is_end { self.n_open_pre.saturating_sub(1) } else { self.n_open_pre + 1 };
        }
    }

    fn separate(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    /// Adds text in which character references stand for characters.
    fn add(&mut self, text: &str) {
        let mut rest = text;
        while let Some(start) = rest.find('&') {
            let (before, reference) = rest.split_at(start);
            self.words(before);
            let (character, len) = character(reference).unwrap_or(("&".to_owned(), 1));
            self.write(&character);
            rest = reference.get(len..).unwrap_or_default();
        }
        self.words(rest);
    }

    fn words(&mut self, text: &str) {
        if self.n_open_pre > 0 {
            if !text.is_empty() {
                self.write(text);
            }
            return;
        }
        for (idx, word) in text.split(|it: char| it.is_ascii_whitespace()).enumerate() {
            if idx > 0 {
                self.separate(Gap::Blank);
            }
            if !word.is_empty() {
                self.write(word);
            }
        }
    }

    fn write(&mut self, text: &str) {
        let is_line_start = self.out.is_empty() || self.out.ends_with('\n');
        match std::mem::take(&mut self.gap) {
            _ if is_line_start => {}
            Gap::None => {}
            Gap::Blank => self.out.push(' '),
            Gap::Cell => self.out.push('\t'),
            Gap::Line => self.out.push('\n'),
        }
        self.out.push_str(text);
    }
}

/// The character that `text` begins with a reference to, and the length of the reference. `&copy 2026` and `&#8364 5` are read as
/// browsers do, although they lack a semicolon.
fn character(text: &str) -> Option<(String, usize)> {
    let name = text.get(1..)?;
    let is_number = name.starts_with('#');
    let len = name
        .bytes()
        .take(MAX_REFERENCE_BYTES)
        .enumerate()
        .take_while(|(idx, it)| it.is_ascii_alphanumeric() || *idx == 0 && *it == b'#')
        .count();
    let (name, rest) = name.split_at_checked(len)?;
    let is_closed = rest.starts_with(';');
    let character = if is_number { numbered(name.get(1..)?) } else { named(name, is_closed) }?;
    Some((character, 1 + len + usize::from(is_closed)))
}

fn numbered(number: &str) -> Option<String> {
    let code = match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => number.parse(),
    };
    let code = code.ok()?;
    // These numbers are control characters, but those who write them mean Windows-1252.
    if let Some(byte) = u8::try_from(code).ok().filter(|it| (0x80..0xa0).contains(it)) {
        return Some(encoding_rs::WINDOWS_1252.decode(&[byte]).0.into_owned());
    }
    let character = char::from_u32(code).filter(|it| *it != '\0');
    Some(character.unwrap_or(char::REPLACEMENT_CHARACTER).to_string())
}

fn named(name: &str, is_closed: bool) -> Option<String> {
    let reference = format!("&{name};");
    let mut text = String::new();
    add_html_token(&mut text, reference.as_bytes(), false);
    // The semicolon may be missing after the old names: those of Latin-1 and of the characters of markup.
    let is_old = || {
        matches!(name, "amp" | "lt" | "gt" | "quot")
            || text.chars().all(|it| ('\u{a0}'..='\u{ff}').contains(&it))
    };
    (text != reference && (is_closed || is_old())).then_some(text)
}
