//! Where a PostgreSQL database is, and how it is named to people: never with its password.

use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use crate::error::{Result, StoreError};

/// How long the server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long sent bytes may stay unconfirmed before the connection counts as lost.
const UNCONFIRMED: Duration = Duration::from_secs(30);
/// How long a silent connection is trusted, how often it is probed then, and how many probes may be lost.
const SILENT: (Duration, Duration, u32) = (Duration::from_secs(30), Duration::from_secs(10), 3);

/// A database's URL, understood.
#[derive(Debug, Clone)]
pub(super) struct Address {
    config: Config,
    shown: String,
}

impl Address {
    /// Reads a URL such as `postgres://user:password@host:5432/database`.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`] where it is none, or asks for an encryption that is not built in.
    pub(super) fn parse(url: &str) -> Result<Self> {
        let shown = without_password(url);
        let bad =
            |reason: &str| StoreError::BadUrl { url: shown.clone(), reason: reason.to_owned() };
        if wants_tls(url) {
            return Err(bad(NO_TLS));
        }
        // A second `@` would end up in the host's name, and a piece of the password with it.
        let is_url =
            url.starts_with("postgres") && url.contains("://") && url.matches('@').count() < 2;
        if !is_url {
            return Err(bad(NO_URL));
        }
        // What the parser says may quote a piece of a password, too.
        let mut config: Config = url.parse().map_err(|_may_quote_a_secret| bad(NO_URL))?;
        if config.get_ssl_mode() == SslMode::Require {
            return Err(bad(NO_TLS));
        }
        fill_in(&mut config);
        Ok(Self { config, shown })
    }

    /// How to connect.
    pub(super) const fn config(&self) -> &Config {
        &self.config
    }

    /// The URL without its password.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
}

const NO_TLS: &str = "this program cannot encrypt its connection: use `sslmode=prefer` in a network that you trust, or a \
                      local proxy that encrypts";
const NO_URL: &str = "it does not read as `postgres://user:password@host:5432/database`; in a password, write `@` as \
                      `%40` and `%` as `%25`";

/// Whether the URL insists on encryption, also in the spellings that only other clients know.
fn wants_tls(url: &str) -> bool {
    let parameters = place(url).split_once('?').map_or("", |(_, parameters)| parameters);
    parameters.split('&').any(|pair| {
        matches!(pair.split_once('='), Some(("sslmode", "require" | "verify-ca" | "verify-full")))
    })
}

/// What follows the user and the password.
fn place(url: &str) -> &str {
    url.rsplit_once('@').map_or(url, |(_, place)| place)
}

fn fill_in(config: &mut Config) {
    if config.get_application_name().is_none() {
        config.application_name("windlass");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(UNCONFIRMED);
    }
    if config.get_keepalives_interval().is_none() {
        let (idle, interval, retries) = SILENT;
        config.keepalives_idle(idle).keepalives_interval(interval).keepalives_retries(retries);
    }
}

/// The URL as it may be shown. What is not understood is left out rather than shown.
pub(super) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "…".to_owned() };
    let (user, place) = match rest.rsplit_once('@') {
        Some((user, place)) => (user.split(':').next(), place),
        None => (None, rest),
    };
    let (place, parameters) = place.split_once('?').unwrap_or((place, ""));
    let parameters: Vec<_> =
        parameters.split('&').filter(|p| !p.is_empty() && !p.starts_with("password")).collect();
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

    #[test]
    fn a_url_is_shown_without_its_password() {
        let shown =
            without_password("postgres://ann:s3cret@db.example.com:5433/main?sslmode=prefer");

        assert_eq!(shown, "postgres://ann@db.example.com:5433/main?sslmode=prefer");
    }

    #[test]
    fn no_way_of_writing_a_password_shows_it() {
        for url in [
            "postgres://ann:s3cret@h/d",
            "postgres://ann:a@s3cret@h/d",
            "postgres://ann:a/s3cret@h/d",
            "postgres://ann:a?s3cret=1@h/d",
            "postgres://ann:a:s3cret@h/d",
            "postgres://ann@h/d?password=s3cret",
            "postgres://ann@h/d?sslmode=prefer&password=s3cret&x=1",
            "host=h user=ann password=s3cret",
            "ann:s3cret@h",
        ] {
            let shown = without_password(url);
            let said = Address::parse(url).map_err(|error| error.to_string());

            assert!(!shown.contains("s3cret"), "{shown}");
            assert!(!format!("{said:?}").contains("s3cret"), "{said:?}");
        }
    }

    #[test]
    fn encryption_that_is_asked_for_is_refused_rather_than_left_out() {
        for mode in ["require", "verify-ca", "verify-full"] {
            let error = Address::parse(&format!("postgres://h/d?sslmode={mode}")).unwrap_err();

            assert!(error.to_string().contains("cannot encrypt"), "{mode}: {error}");
        }
        assert!(Address::parse("postgres://h/d?sslmode=prefer").is_ok());
        assert!(Address::parse("postgres://h/d?sslmode=disable").is_ok());
    }

    #[test]
    fn a_url_that_is_none_says_how_one_is_written() {
        let error = Address::parse("postgres://ann:a@b@h/d").unwrap_err();

        assert!(matches!(&error, StoreError::BadUrl { .. }), "{error}");
        assert!(error.to_string().contains("%40"), "{error}");
    }
}
