//! Parses a URL into libpq's keywords and their values.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

/// Values by libpq's keywords.
pub(crate) type Parameters = BTreeMap<&'static str, String>;

/// Every supported keyword, and whether its value may be shown.
const KEYWORDS: &[(&str, bool)] = &[
    ("application_name", true),
    ("channel_binding", true),
    ("connect_timeout", true),
    ("dbname", true),
    ("host", true),
    ("hostaddr", true),
    ("keepalives", true),
    ("keepalives_count", true),
    ("keepalives_idle", true),
    ("keepalives_interval", true),
    ("load_balance_hosts", true),
    ("options", true),
    ("password", false),
    ("port", true),
    ("sslmode", true),
    ("sslnegotiation", true),
    ("sslrootcert", true),
    ("target_session_attrs", true),
    ("tcp_user_timeout", true),
    ("user", true),
];

/// Keywords that other programs support and that can be ignored safely.
const IGNORED: &[&str] =
    &["client_encoding", "fallback_application_name", "gssencmode", "sslcompression", "sslsni"];

const NO_URL: &str = "it does not read as `postgres://user:password@host:5432/database`; in a password, write `@` as \
                      `%40`, `/` as `%2F` and `%` as `%25`";
const POOLER: &str = "`pgbouncer=true` says that a pooler stands before it, which gives each transaction another session: \
                      name the server itself, or a port at which the pooler keeps sessions, and leave `pgbouncer` out";

/// The keyword in its own spelling.
pub(crate) fn keyword(name: &str) -> Option<&'static str> {
    KEYWORDS.iter().find(|(known, _)| *known == name).map(|(known, _)| *known)
}

/// Whether a word is a keyword of libpq that is supported or ignored.
pub(super) fn is_keyword(name: &str) -> bool {
    keyword(name).is_some() || IGNORED.contains(&name)
}

/// Whether the value of a keyword may be shown.
pub(super) fn is_public(name: &str) -> bool {
    KEYWORDS.iter().any(|(keyword, is_public)| *is_public && name == *keyword)
}

/// Parses a URL. The error message quotes nothing that may be part of a password.
pub(crate) fn parse(url: &str) -> Result<Parameters, String> {
    let rest = url.strip_prefix("postgresql://").or_else(|| url.strip_prefix("postgres://"));
    // With a second `@`, part of the password would end up in the host's name.
    let Some(rest) = rest.filter(|rest| rest.matches('@').count() < 2) else {
        return Err(NO_URL.to_owned());
    };
    let mut parameters = Parameters::new();
    let (login, place) = match rest.split_once('@') {
        Some((login, place)) => (login, place),
        None => ("", rest),
    };
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let (place, query) = place.split_once('?').unwrap_or((place, ""));
    let (servers, database) = place.split_once('/').unwrap_or((place, ""));
    let (hosts, ports) = hosts_and_ports(servers)?;
    let parts = [("user", user), ("password", password), ("dbname", database)];
    for (keyword, value) in parts.into_iter().chain([("host", &*hosts), ("port", &*ports)]) {
        if !value.is_empty() {
            parameters.insert(keyword, decoded(value)?);
        }
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        add(&mut parameters, pair)?;
    }
    Ok(parameters)
}

/// `a:1,[::1],c:3` as `a,::1,c` and `1,,3`.
fn hosts_and_ports(servers: &str) -> Result<(String, String), String> {
    let mut hosts = Vec::new();
    let mut ports = Vec::new();
    for server in servers.split(',') {
        let (host, port) = match server.strip_prefix('[').map(|rest| rest.split_once(']')) {
            Some(Some((host, port))) => (host, port.strip_prefix(':').unwrap_or(port)),
            Some(None) => return Err(NO_URL.to_owned()),
            None => server.split_once(':').unwrap_or((server, "")),
        };
        hosts.push(host);
        ports.push(port);
    }
    let is_any = ports.iter().any(|port| !port.is_empty());
    Ok((hosts.join(","), if is_any { ports.join(",") } else { String::new() }))
}

fn add(parameters: &mut Parameters, pair: &str) -> Result<(), String> {
    let (name, value) = pair.split_once('=').ok_or(NO_URL)?;
    insert(parameters, &decoded(name)?, decoded(value)?)
}

/// Adds a parameter by its name.
pub(super) fn insert(parameters: &mut Parameters, name: &str, value: String) -> Result<(), String> {
    match (keyword(name), name, &*value) {
        // The spelling of other programs.
        (None, "ssl", "true") => drop(parameters.insert("sslmode", "require".to_owned())),
        (None, "pgbouncer", "true") => return Err(POOLER.to_owned()),
        (None, name, _) if IGNORED.contains(&name) || name == "pgbouncer" => {}
        (None, name, _) => return Err(format!("it knows no parameter `{name}`")),
        (Some(keyword), ..) => drop(parameters.insert(keyword, value)),
    }
    Ok(())
}

fn decoded(text: &str) -> Result<String, String> {
    let is_code = |code: &str| {
        let digits = code.get(..2).unwrap_or_default();
        digits != "00" && digits.chars().filter(char::is_ascii_hexdigit).count() == 2
    };
    if !text.split('%').skip(1).all(is_code) {
        return Err(NO_URL.to_owned());
    }
    let text = percent_decode_str(text).decode_utf8().map_err(|_may_quote_a_secret| NO_URL)?;
    Ok(text.into_owned())
}

/// The URL without its password. Parts that cannot be parsed are left out.
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "…".to_owned() };
    let (user, place) = match rest.rsplit_once('@') {
        Some((user, place)) => (user.split(':').next(), place),
        None => (None, rest),
    };
    let (place, parameters) = place.split_once('?').unwrap_or((place, ""));
    let may_be_shown = |pair: &&str| pair.split('=').next().is_some_and(is_public);
    let parameters: Vec<_> = parameters.split('&').filter(may_be_shown).collect();
    let mut shown = format!("{scheme}://");
    if let Some(user) = user {
        shown.push_str(user);
        shown.push('@');
    }
    shown.push_str(place);
    if !parameters.is_empty() {
        shown.push('?');
        shown.push_str(&parameters.join("&"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> String {
        let parameters = parse(url).unwrap();
        let pairs: Vec<_> =
            parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join(" ")
    }

    #[test]
    fn a_url_reads_as_psql_reads_it() {
        for (url, expected) in [
            ("postgresql://", ""),
            ("postgres://localhost", "host=localhost"),
            (
                "postgres://ann:pa%40%2Fss%25@h:5433/d",
                "dbname=d host=h password=pa@/ss% port=5433 user=ann",
            ),
            ("postgresql://h1:1,h2,[::1]:3/d", "dbname=d host=h1,h2,::1 port=1,,3"),
            ("postgres:///d?host=/run/pg&port=6", "dbname=d host=/run/pg port=6"),
            ("postgres://%2Frun%2Fpg/d", "dbname=d host=/run/pg"),
            ("postgres://u@h/d?user=other&password=p", "dbname=d host=h password=p user=other"),
            (
                "postgres://h/d%20e?application_name=a+b%20c",
                "application_name=a+b c dbname=d e host=h",
            ),
            (
                "postgres://h?options=-csearch_path%3Dx&ssl=true",
                "host=h options=-csearch_path=x sslmode=require",
            ),
            (
                "postgres://h/?sslmode=verify-full&sslrootcert=/a/b.crt",
                "host=h sslmode=verify-full sslrootcert=/a/b.crt",
            ),
            ("postgres://h?gssencmode=disable&pgbouncer=false", "host=h"),
        ] {
            assert_eq!(read(url), expected, "{url}");
        }
    }

    #[test]
    fn an_invalid_url_or_an_unknown_parameter_is_refused() {
        for (url, reason) in [
            ("postgres://ann:a@b@h/d", "%40"),
            ("postgres://ann:100%@h/d", "%25"),
            ("postgres://ann:%zz@h/d", "%25"),
            ("postgres://h/d%00", "%25"),
            ("postgres://[::1/d", "postgres://user"),
            ("host=h user=ann", "postgres://user"),
            ("postgres://h/d?connect_timeout", "postgres://user"),
            ("postgres://h/d?sslrotcert=x", "`sslrotcert`"),
            ("postgres://h/d?pgbouncer=true", "pooler"),
        ] {
            let error = parse(url).unwrap_err();

            assert!(error.contains(reason), "{url}: {error}");
        }
    }

    #[test]
    fn a_url_is_shown_without_its_password() {
        let shown =
            without_password("postgres://ann:s3cret@db.example.com:5433/main?sslmode=prefer");

        assert_eq!(shown, "postgres://ann@db.example.com:5433/main?sslmode=prefer");
    }
}
