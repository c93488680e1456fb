//! Keyword strings: `host=db port=5433 user=ann`, as libpq takes them in the place of a URL.

use super::parameters::{self, Parameters};

const NOT_READABLE: &str = "it does not read as `host=db port=5432 dbname=x user=me`: put a value with spaces between single quotes, and \
                            write `\\'` for a quote and `\\\\` for a backslash in it";

/// Whether a text is meant as keywords and values: its first word is one of libpq's keywords, followed by `=`.
pub(crate) fn are_meant(text: &str) -> bool {
    let first = text.trim_start().split('=').next().filter(|first| first.len() < text.len());
    first.is_some_and(|first| parameters::is_keyword(first.trim()))
}

/// Parses keywords and their values. The error message quotes nothing that may be part of a password.
pub(crate) fn parse(text: &str) -> Result<Parameters, String> {
    let mut parameters = Parameters::new();
    let mut letters = text.trim().chars().peekable();
    while letters.peek().is_some() {
        let mut name = String::new();
        while let Some(letter) = letters.next_if(|letter| *letter != '=') {
            name.push(letter);
        }
        letters.next().ok_or(NOT_READABLE)?;
        while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
        let is_quoted = letters.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        loop {
            match letters.next() {
                Some('\\') => value.extend(letters.next()),
                Some('\'') if is_quoted => break,
                None if is_quoted => return Err(NOT_READABLE.to_owned()),
                Some(letter) if !is_quoted && letter.is_whitespace() => break,
                Some(letter) => value.push(letter),
                None => break,
            }
        }
        while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
        // A name that is not known may be the rest of a password.
        if !parameters::is_keyword(name.trim()) {
            return Err(NOT_READABLE.to_owned());
        }
        parameters::insert(&mut parameters, name.trim(), value)?;
    }
    Ok(parameters)
}

/// The same without the password; nothing of a text that cannot be parsed.
pub(crate) fn without_password(text: &str) -> String {
    let Ok(parameters) = parse(text) else { return "…".to_owned() };
    let public = parameters.iter().filter(|(keyword, _)| parameters::is_public(keyword));
    let shown = public.map(|(keyword, value)| {
        let is_plain = !value.is_empty()
            && !value.contains(|c: char| c.is_whitespace() || c == '\'' || c == '\\');
        if is_plain {
            return format!("{keyword}={value}");
        }
        format!("{keyword}='{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_read_as_psql_reads_them() {
        for (text, expected) in [
            ("host=h", "host=h"),
            ("host = h  port= 5433", "host=h port=5433"),
            (r"host=h dbname='my db' user=an\ n", "dbname='my db' host=h user='an n'"),
            (r"user='it\'s' host=h", r"host=h user='it\'s'"),
            ("host='' user=ann", "host='' user=ann"),
            ("host=h password=s3cret user=ann", "host=h user=ann"),
            ("password='s3 cret' host=h", "host=h"),
            ("client_encoding=UTF8 host=h", "host=h"),
        ] {
            assert!(are_meant(text), "{text}");
            assert_eq!(without_password(text), expected, "{text}");
        }
        let parsed = parse("host=h password='s3 cret'").unwrap();
        assert_eq!(parsed.get("password").map(String::as_str), Some("s3 cret"));
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_shows_nothing() {
        for text in ["host=h password=a s3cret=b", "password='s3cret", "host=h s3cret"] {
            assert!(!parse(text).unwrap_err().contains("s3cret"), "{text}");
            assert_eq!(without_password(text), "…");
        }
    }

    #[test]
    fn a_path_or_a_url_is_no_keyword_string() {
        for text in ["data/x.db", "postgres://h/d?user=x", "sqlite:host=x.db", "a=b.db", "host"] {
            assert!(!are_meant(text), "{text}");
        }
    }
}
