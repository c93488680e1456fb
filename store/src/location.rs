//! The location of a database.

mod environment;
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

    pub(crate) fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres://") || self.url.starts_with("postgresql://")
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
        match self.is_postgres() {
            true => f.write_str(&parameters::without_password(&self.url)),
            false => f.write_str(&self.url),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Location").field(&self.to_string()).finish()
    }
}
