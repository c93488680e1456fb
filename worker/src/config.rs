//! The configuration: the command line comes before `windlass.toml`, and that before the defaults.

mod server;

use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use serde::{Deserialize, Deserializer};
use windlass_api::text::nearest;
use windlass_core::{Policy, Prices, Retention};
use windlass_store::Location;
use windlass_tools::ToolsConfig;
use windlass_tools::channels::NotifyConfig;
use windlass_tools::mcp::McpConfig;
use windlass_tools::secrets::SecretsConfig;

pub(crate) use self::server::ServerConfig;

/// The configuration file that is read where none is named.
pub(crate) const FILE_NAME: &str = "windlass.toml";

/// The folder beside the configuration for the database and other state.
const STATE_FOLDER: &str = ".windlass";

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration `{path}`", path = path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// The URL is that of another kind of database.
    #[error("cannot use a database of the kind `{scheme}`")]
    Database { scheme: String },
    /// Nothing was written where the database is named.
    #[error("the name of the database is empty")]
    NoDatabase,
    /// The text names neither a file nor a server. It may hold a password, so it is not shown.
    #[error("what names the database reads neither as the path of a file nor as a server")]
    NeitherFileNorServer,
    /// The file is no valid configuration.
    #[error("cannot use the configuration `{position}`: {message}")]
    Invalid {
        /// File, line and column.
        position: String,
        message: String,
        hint: Option<String>,
    },
}

impl ConfigError {
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { .. } => Some("check the path after `--config`".to_owned()),
            Self::NoDatabase => Some(
                "unset WINDLASS_DATABASE, or write where the database is, there, after `--database` or in the configuration: \
                 `sqlite:PATH` or `postgres://…`"
                    .to_owned(),
            ),
            Self::NeitherFileNorServer => Some(
                "write `sqlite:PATH`, `postgres://user@host/database` or `host=… user=… dbname=…`".to_owned(),
            ),
            Self::Database { .. } => Some("name one as `sqlite:PATH` or `postgres://…`".to_owned()),
            Self::Invalid { hint, .. } => hint.clone(),
        }
    }
}

/// The configuration of this process, complete.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// The file that was read.
    pub(crate) file: Option<PathBuf>,
    /// The folder that relative paths start from: the configuration's, else the current one.
    pub(crate) root: PathBuf,
    /// The database's URL.
    pub(crate) database: String,
    /// The zone of cron expressions that name none, and of the times that are shown.
    pub(crate) timezone: Tz,
    /// All limits.
    pub(crate) policy: Policy,
    /// What effects cost.
    pub(crate) prices: Prices,
    /// How many handlers run at once.
    pub(crate) slots: u32,
    /// What tools may touch; its folders are relative to `root`.
    pub(crate) tools: ToolsConfig,
    /// Where secrets come from; their files are relative to `root`.
    pub(crate) secrets: SecretsConfig,
    /// The servers that are asked for tools.
    pub(crate) mcp: McpConfig,
    /// Where notifications are sent.
    pub(crate) notify: NotifyConfig,
    /// Where the HTTP server listens.
    pub(crate) server: ServerConfig,
}

/// Where the configuration is read from, and what comes before it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SettingsSource<'a> {
    /// The file; without it `windlass.toml` of the folder, where it is there.
    pub(crate) config: Option<&'a Path>,
    /// The database, before that of the file.
    pub(crate) database: Option<&'a str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ConfigFile {
    database: Option<String>,
    timezone: Option<Zone>,
    tools: ToolsConfig,
    secrets: SecretsConfig,
    mcp: McpConfig,
    notify: NotifyConfig,
    limits: Policy,
    prices: Prices,
    retention: Retention,
    worker: WorkerSection,
    server: ServerConfig,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WorkerSection {
    slots: u32,
}

impl Default for WorkerSection {
    fn default() -> Self {
        Self { slots: 8 }
    }
}

#[derive(Debug)]
struct Zone(Tz);

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map(Self).map_err(|_unknown| {
            serde::de::Error::custom(format!(
                "`{name}` is no time zone: write an IANA name, for example `Europe/Berlin`"
            ))
        })
    }
}

impl Settings {
    /// Reads the configuration that the command line names, or that of `folder`.
    ///
    /// # Errors
    /// [`ConfigError`] where it cannot be read or makes no sense.
    pub(crate) fn load(source: SettingsSource<'_>, folder: &Path) -> Result<Self, ConfigError> {
        let path = match source.config {
            Some(path) => Some(folder.join(path)),
            None => Some(folder.join(FILE_NAME)).filter(|path| path.exists()),
        };
        let (file, root) = match &path {
            Some(path) => (read(path)?, path.parent().unwrap_or(folder).to_owned()),
            None => (ConfigFile::default(), folder.to_owned()),
        };
        let database = match (source.database, &file.database) {
            (Some(url), _) => absolute_url(url, folder)?,
            (None, Some(url)) => absolute_url(url, &root)?,
            (None, None) => sqlite_url(&root.join(STATE_FOLDER).join("windlass.db")),
        };
        let mut settings = Self {
            file: path,
            database,
            timezone: file.timezone.map_or_else(host_zone, |zone| zone.0),
            prices: file.prices,
            policy: Policy { retention: file.retention, ..file.limits },
            slots: file.worker.slots,
            tools: file.tools,
            secrets: file.secrets,
            mcp: file.mcp,
            notify: file.notify,
            server: file.server,
            root,
        };
        settings.tools.files.protected = settings.protected();
        Ok(settings)
    }

    /// What no script may use: the configuration, the state and the files of secrets.
    fn protected(&self) -> Vec<PathBuf> {
        let mut paths: Vec<_> = self.file.iter().cloned().collect();
        paths.extend(self.own_state_folder());
        paths.extend(self.database_files());
        paths.extend([self.state_folder(), self.connectors_folder()]);
        paths.extend(self.secrets.files().map(|file| self.root.join(file)));
        paths
    }

    /// The files of the database, where it is one; some of them come and go.
    pub(crate) fn database_files(&self) -> Vec<PathBuf> {
        let with_suffix = |file: &Path, suffix: &str| {
            let mut path = file.as_os_str().to_owned();
            path.push(suffix);
            PathBuf::from(path)
        };
        let file = self.database_file();
        let suffixes = ["", "-wal", "-shm", "-journal"];
        file.iter().flat_map(|file| suffixes.map(|suffix| with_suffix(file, suffix))).collect()
    }

    /// The database file, where the database is one.
    pub(crate) fn database_file(&self) -> Option<PathBuf> {
        sqlite_path(&self.database).map(PathBuf::from)
    }

    /// Whether the database is a server, whose schema only `migrate` touches.
    pub(crate) fn is_server(&self) -> bool {
        !self.database.starts_with("sqlite:")
    }

    /// The folder in which the workers of one database declare themselves alive.
    pub(crate) fn state_folder(&self) -> PathBuf {
        self.data_folder().join("workers")
    }

    /// The folder of the snapshots of what connectors offered when it was accepted.
    pub(crate) fn connectors_folder(&self) -> PathBuf {
        self.data_folder().join("connectors")
    }

    /// The folder beside the configuration that holds nothing but state, if this deployment keeps its state there.
    pub(crate) fn own_state_folder(&self) -> Option<PathBuf> {
        Some(self.data_folder()).filter(|folder| folder.ends_with(STATE_FOLDER))
    }

    /// The folder of the database file, or where it would be.
    fn data_folder(&self) -> PathBuf {
        let beside_database =
            self.database_file().and_then(|file| file.parent().map(Path::to_owned));
        beside_database.unwrap_or_else(|| self.root.join(STATE_FOLDER))
    }
}

fn read(path: &Path) -> Result<ConfigFile, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let file: ConfigFile = toml::from_str(&text).map_err(|error| invalid(path, &text, &error))?;
    check_limits(&file).map_err(|message| ConfigError::Invalid {
        position: path.display().to_string(),
        message,
        hint: None,
    })?;
    Ok(file)
}

/// Refuses limits so small that nothing could run.
fn check_limits(file: &ConfigFile) -> Result<(), String> {
    let policy = &file.limits;
    let slots = u64::from(file.worker.slots);
    let least: [(&str, u64, u64); 12] = [
        ("worker.slots", slots, 1),
        ("limits.script.wall_time_ms", policy.script.wall_time_ms, 10),
        ("limits.script.check_time_ms", policy.script.check_time_ms, 10),
        ("limits.script.cpu_time_ms", policy.script.cpu_time_ms, 10),
        ("limits.script.check_steps", policy.script.check_steps, 1_000),
        ("limits.script.open_calls", u64::from(policy.script.open_calls), 1),
        ("limits.script.heap_mib", u64::from(policy.script.heap_mib), 8),
        ("limits.script.stack_kib", u64::from(policy.script.stack_kib), 64),
        ("limits.script.value_bytes", u64::from(policy.script.value_bytes), 1_024),
        ("limits.script.source_bytes", u64::from(policy.script.source_bytes), 1),
        ("limits.session.handler_runs", u64::from(policy.session.handler_runs), 1),
        ("limits.lease.duration_ms", policy.lease.duration_ms, 1_000),
    ];
    match least.iter().find(|(_, value, least)| value < least) {
        Some((key, value, least)) => {
            Err(format!("`{key}` is {value}: it has to be {least} or more"))
        }
        None if policy.session.wake_min_s > policy.session.wake_max_s => {
            Err("`limits.session.wake_min_s` is greater than `wake_max_s`".to_owned())
        }
        None => Ok(()),
    }
}

fn invalid(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let position = match error.span() {
        Some(span) => {
            let before = text.get(..span.start).unwrap_or(text);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            format!("{}:{line}:{column}", path.display())
        }
        None => path.display().to_string(),
    };
    let message = error.message().to_owned();
    let hint = did_you_mean(&message).map(|key| format!("did you mean `{key}`?"));
    ConfigError::Invalid { position, message, hint }
}

/// The expected key that is nearest to the one that was found, where one is near.
fn did_you_mean(message: &str) -> Option<&str> {
    let (found, expected) = message.strip_prefix("unknown field `")?.split_once('`')?;
    let keys = expected.split('`').skip(1).step_by(2);
    nearest(found, keys)
}

/// The URL of a database file.
fn sqlite_url(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

/// The path in the URL of a database file.
pub(crate) fn sqlite_path(url: &str) -> Option<&str> {
    let path = url.strip_prefix("sqlite:")?;
    Some(path.strip_prefix("//").unwrap_or(path)).filter(|path| !["", ":memory:"].contains(path))
}

/// The URL of a database with an absolute path, where it is a file; relative ones start at `folder`. A bare path means a database file.
pub(crate) fn absolute_url(url: &str, folder: &Path) -> Result<String, ConfigError> {
    if url.trim().is_empty() {
        return Err(ConfigError::NoDatabase);
    }
    let location = Location::from(url);
    if location.is_postgres() {
        return Ok(url.to_owned());
    }
    if url.starts_with("sqlite:") {
        let path = sqlite_path(url).map(|path| sqlite_url(&folder.join(path)));
        return Ok(path.unwrap_or_else(|| url.to_owned()));
    }
    match url.split_once("://") {
        Some((scheme, _)) => Err(ConfigError::Database { scheme: scheme.to_owned() }),
        None if !location.is_file() => Err(ConfigError::NeitherFileNorServer),
        None => Ok(sqlite_url(&folder.join(url))),
    }
}

/// A URL that may be shown.
pub(crate) fn without_password(url: &str) -> String {
    Location::from(url).to_string()
}

/// The zone that `TZ` names, else that of the machine.
#[expect(clippy::disallowed_methods, reason = "it is read once, with the configuration")]
fn host_zone() -> Tz {
    let named = std::env::var("TZ").ok().and_then(|name| zone_of(&name));
    let machines = || iana_time_zone::get_timezone().ok().and_then(|name| zone_of(&name));
    named.or_else(machines).unwrap_or(Tz::UTC)
}

/// The zone of a name as `TZ` has it, perhaps with a colon before it.
fn zone_of(name: &str) -> Option<Tz> {
    name.strip_prefix(':').unwrap_or(name).parse().ok()
}

#[cfg(test)]
mod tests {
    use windlass_core::Age;

    use super::*;

    fn load(text: &str) -> Result<Settings, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE_NAME), text).unwrap();
        Settings::load(SettingsSource::default(), folder.path()).map_err(|error| {
            let hint = error.hint().map(|hint| format!(" | {hint}")).unwrap_or_default();
            let text = format!("{error}{hint}");
            text.replace(&folder.path().display().to_string(), "DIR")
        })
    }

    #[test]
    fn a_zone_is_read_as_the_system_does() {
        use chrono_tz::Tz;

        assert_eq!(zone_of("Europe/Berlin"), Some(Tz::Europe__Berlin));
        assert_eq!(zone_of(":Asia/Tokyo"), Some(Tz::Asia__Tokyo));
        assert_eq!(zone_of("CET-1CEST"), None);
    }

    #[test]
    fn what_the_file_leaves_out_has_a_default() {
        let settings = load("[limits.script]\nheap_mib = 32\n").unwrap();

        assert_eq!(settings.policy.script.heap_mib, 32);
        assert_eq!(settings.policy.session, Policy::default().session);
        assert!(settings.database.ends_with("/.windlass/windlass.db"));
    }

    #[test]
    fn paths_start_from_the_file() {
        let settings = load("database = \"sqlite:data/x.db\"").unwrap();

        assert_eq!(settings.database_file(), Some(settings.root.join("data/x.db")));
    }

    #[test]
    fn a_wrong_key_is_named_with_its_place_and_the_right_one() {
        let error = load("[tools.files]\nrots = []\n").unwrap_err();

        assert_eq!(
            error,
            "cannot use the configuration `DIR/windlass.toml:2:1`: unknown field `rots`, \
             expected `roots` or `max_read_mib` \
             | did you mean `roots`?"
        );
    }

    #[test]
    fn a_wrong_zone_a_zero_and_a_syntax_error_are_told_apart() {
        let errors = [
            "timezone = \"Europe/Berln\"",
            "[worker]\nslots = 0",
            "[limits.lease]\nduration_ms = 0",
            "[tools",
        ]
        .map(|text| load(text).unwrap_err());

        expect_test::expect![[r#"
            cannot use the configuration `DIR/windlass.toml:1:12`: `Europe/Berln` is no time zone: write an IANA name, for example `Europe/Berlin`
            cannot use the configuration `DIR/windlass.toml`: `worker.slots` is 0: it has to be 1 or more
            cannot use the configuration `DIR/windlass.toml`: `limits.lease.duration_ms` is 0: it has to be 1000 or more
            cannot use the configuration `DIR/windlass.toml:1:7`: unclosed table, expected `]`"#]].assert_eq(&errors.join("\n"));
    }

    #[test]
    fn how_long_things_are_kept_is_said_in_days_or_forever() {
        let kept = load("[retention]\nruns = \"7d\"\nmutations = \"forever\"\n").unwrap();
        let refused = load("[retention]\nruns = \"0\"\n").unwrap_err();

        let retention = kept.policy.retention;
        assert_eq!(
            (retention.runs.to_string(), retention.mutations),
            ("7d".to_owned(), Age::Forever)
        );
        assert_eq!(retention.events, Retention::default().events);
        assert!(
            refused.contains("windlass.toml:2:8") && refused.contains("`forever`"),
            "{refused}"
        );
    }

    #[test]
    fn a_far_word_is_no_advice() {
        assert_eq!(did_you_mean("unknown field `qqqqqq`, expected `roots`"), None);
        assert_eq!(
            did_you_mean("unknown field `limit`, expected one of `tools`, `limits`"),
            Some("limits")
        );
    }

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(without_password("postgres://me:se@cret@host/db"), "postgres://me@host/db");
        assert_eq!(
            without_password("postgres://me@host/db?password=secret"),
            "postgres://me@host/db"
        );
        assert_eq!(without_password("postgres://me@host/db"), "postgres://me@host/db");
        assert_eq!(without_password("sqlite:a.db"), "sqlite:a.db");
        assert_eq!(without_password("host=h password=s3cret user=me"), "host=h user=me");
    }

    #[test]
    fn a_database_is_a_file_a_url_or_keywords() {
        let url = |text| absolute_url(text, Path::new("/f")).map_err(|error| error.to_string());

        assert_eq!(url("x.db").as_deref(), Ok("sqlite:/f/x.db"));
        assert_eq!(url("sqlite:a=b.db").as_deref(), Ok("sqlite:/f/a=b.db"));
        assert_eq!(url("host=h user=me").as_deref(), Ok("host=h user=me"));
        for text in ["me:s3cret@host/db", "hots=h password=s3cret", "mysql://me:s3cret@h/d"] {
            assert!(!url(text).unwrap_err().contains("s3cret"), "{text}");
        }
        assert_eq!(url(""), Err("the name of the database is empty".to_owned()));
    }
}
