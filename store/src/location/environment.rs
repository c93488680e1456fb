//! The environment variables and files that PostgreSQL's own programs use for what a URL leaves out.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::parameters::{Parameters, keyword};

/// The variables, and the keywords that they stand for.
const VARIABLES: &[(&str, &str)] = &[
    ("PGAPPNAME", "application_name"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGDATABASE", "dbname"),
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGLOADBALANCEHOSTS", "load_balance_hosts"),
    ("PGOPTIONS", "options"),
    ("PGPASSWORD", "password"),
    ("PGPORT", "port"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLNEGOTIATION", "sslnegotiation"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGUSER", "user"),
];

/// The settings of the environment for a PostgreSQL server; empty by default.
#[derive(Clone, Default)]
pub struct PostgresEnvironment {
    parameters: Parameters,
    pass_file: Option<PathBuf>,
    root_certificates: Option<PathBuf>,
}

impl PostgresEnvironment {
    /// Reads the variables that `psql` reads (`PGPASSWORD`, `PGSSLMODE`, …) through `variable`, and finds its files:
    /// `PGPASSFILE` or `~/.pgpass`, and `~/.postgresql/root.crt`.
    #[must_use]
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let value = |name: &str| variable(name).filter(|value| !value.is_empty());
        let mut parameters: Parameters = VARIABLES
            .iter()
            .filter_map(|(name, stands_for)| Some((keyword(stands_for)?, value(name)?)))
            .collect();
        if let Some(user) = value("USER") {
            parameters.entry("user").or_insert(user);
        }
        let home = value("HOME").map(PathBuf::from);
        let in_home = |file: &str| home.as_ref().map(|home| home.join(file));
        Self {
            parameters,
            pass_file: value("PGPASSFILE").map(PathBuf::from).or_else(|| in_home(".pgpass")),
            root_certificates: in_home(".postgresql/root.crt").filter(|file| file.exists()),
        }
    }

    /// Adds the parameters that the URL leaves out.
    pub(crate) fn fill_in(&self, parameters: &mut Parameters) {
        // `host` and `hostaddr` name the same server, so the environment's are not mixed with the URL's.
        let names_server = parameters.contains_key("host") || parameters.contains_key("hostaddr");
        for (keyword, value) in &self.parameters {
            let is_address = matches!(*keyword, "host" | "hostaddr");
            if !(is_address && names_server) {
                parameters.entry(keyword).or_insert_with(|| value.clone());
            }
        }
        if let Some(file) = self.root_certificates.as_ref().and_then(|file| file.to_str()) {
            parameters.entry("sslrootcert").or_insert_with(|| file.to_owned());
        }
    }

    /// The passwords in the environment's password file.
    pub(crate) fn passwords(&self) -> Passwords {
        let Some(file) = self.pass_file.as_ref().filter(|file| file.is_file()) else {
            return Passwords::default();
        };
        if is_readable_by_others(file) {
            tracing::warn!(
                file = %file.display(),
                "the password file is not used, because others may read it: `chmod 600` it"
            );
            return Passwords::default();
        }
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| {
            tracing::warn!(file = %file.display(), %error, "the password file cannot be read");
            String::new()
        });
        Passwords(text)
    }
}

impl fmt::Debug for PostgresEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values may be secret.
        f.debug_struct("PostgresEnvironment")
            .field("parameters", &self.parameters.keys())
            .field("pass_file", &self.pass_file)
            .finish_non_exhaustive()
    }
}

/// Whether users other than its owner may read a file.
fn is_readable_by_others(file: &Path) -> bool {
    file.metadata().is_ok_and(|about| about.permissions().mode() & 0o077 != 0)
}

/// A password file: lines of `host:port:database:user:password`, in which `*` stands for anything.
#[derive(Default)]
pub(crate) struct Passwords(String);

impl Passwords {
    /// The password of the first line that fits host, port, database and user.
    pub(crate) fn find(&self, of: [&str; 4]) -> Option<String> {
        let lines = self.0.lines().filter(|line| !line.starts_with('#'));
        lines.map(fields).find_map(|mut fields| {
            let fits = fields.iter().zip(of).all(|(field, value)| field == "*" || field == value);
            (fits && fields.len() == 5).then(|| fields.pop()).flatten()
        })
    }
}

/// The fields of a line, in which `\` takes the next letter as it is.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ':' if fields.len() < 5 => fields.push(String::new()),
            letter => {
                let letter = if letter == '\\' { letters.next() } else { Some(letter) };
                if let Some(field) = fields.last_mut() {
                    field.extend(letter);
                }
            }
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_overrides_the_environment() {
        let environment = PostgresEnvironment::read(|name| {
            Some(match name {
                "PGHOST" => "elsewhere".to_owned(),
                "PGSSLMODE" => "require".to_owned(),
                "PGPASSWORD" => "s3cret".to_owned(),
                "USER" => "ann".to_owned(),
                _ => return None,
            })
        });
        let mut parameters =
            Parameters::from([("host", "here".to_owned()), ("sslmode", "disable".to_owned())]);

        environment.fill_in(&mut parameters);

        let expected =
            [("host", "here"), ("password", "s3cret"), ("sslmode", "disable"), ("user", "ann")];
        assert_eq!(parameters, expected.map(|(name, value)| (name, value.to_owned())).into());
        assert!(!format!("{environment:?}").contains("s3cret"));
    }

    #[test]
    fn the_password_is_that_of_the_first_matching_line() {
        let passwords = Passwords(
            "# a comment:*:*:*:no\nh:5432:d:ann:one\nh:*:*:ann:t\\:w\\\\o:x\n*:*:*:ben:three\nh:1:short\n"
                .to_owned(),
        );
        let of = |host, port, database, user| passwords.find([host, port, database, user]);

        assert_eq!(of("h", "5432", "d", "ann").as_deref(), Some("one"));
        assert_eq!(of("h", "5433", "d", "ann").as_deref(), Some("t:w\\o:x"));
        assert_eq!(of("i", "5432", "d", "ben").as_deref(), Some("three"));
        assert_eq!(of("i", "5432", "d", "ann"), None);
    }

    #[test]
    fn a_password_file_that_others_may_read_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pass");
        std::fs::write(&file, "*:*:*:*:s3cret\n").unwrap();
        let found = |mode| {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let environment = PostgresEnvironment::read(|name| {
                (name == "PGPASSFILE").then(|| file.display().to_string())
            });
            environment.passwords().find(["h", "1", "d", "u"])
        };

        assert_eq!(found(0o644), None);
        assert_eq!(found(0o600).as_deref(), Some("s3cret"));
    }
}
