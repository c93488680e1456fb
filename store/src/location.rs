//! The location of a database.

mod environment;
pub(crate) mod keywords;
pub(crate) mod parameters;

use std::fmt;

pub(crate) use self::environment::Passwords;
pub use self::environment::PostgresEnvironment;
pub(crate) use self::parameters::Parameters;

/// The location of a database: its URL, and for a PostgreSQL server the settings of the environment for what the URL leaves out.
#[derive(Clone)]
pub struct Location {
    url: String,
    environment: PostgresEnvironment,
}

impl Location {
    /// The same location with an environment.
    #[must_use]
    pub fn with_environment(self, environment: PostgresEnvironment) -> Self {
        Self { environment, ..self }
    }

    /// The URL; it may hold a password.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) const fn environment(&self) -> &PostgresEnvironment {
        &self.environment
    }

    /// Whether it names a PostgreSQL server: by a URL, or by keywords as in `host=db user=ann`.
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        self.is_postgres_url() || keywords::are_meant(&self.url)
    }

    fn is_postgres_url(&self) -> bool {
        self.url.starts_with("postgres://") || self.url.starts_with("postgresql://")
    }

    /// Whether it names a file: after `sqlite:` any path, and alone a path that does not look like the settings or the login of a
    /// server, which may hold a password.
    #[must_use]
    pub fn is_file(&self) -> bool {
        let is_path = !self.url.trim().is_empty() && !self.url.contains(['=', '@']);
        self.url.starts_with("sqlite:") || (is_path && !self.url.contains("://"))
    }

    /// What the location says about the server.
    pub(crate) fn parameters(&self) -> Result<Parameters, String> {
        match self.is_postgres_url() {
            true => parameters::parse(&self.url),
            false => keywords::parse(&self.url),
        }
    }
}

impl From<&str> for Location {
    fn from(url: &str) -> Self {
        Self { url: url.to_owned(), environment: PostgresEnvironment::default() }
    }
}

impl From<&String> for Location {
    fn from(url: &String) -> Self {
        Self::from(url.as_str())
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_file() {
            f.write_str(&self.url)
        } else if keywords::are_meant(&self.url) {
            f.write_str(&keywords::without_password(&self.url))
        } else {
            f.write_str(&parameters::without_password(&self.url))
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Location").field(&self.to_string()).finish()
    }
}
