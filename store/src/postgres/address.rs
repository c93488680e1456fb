//! The address of a PostgreSQL database: its servers and how to connect to them. It is never shown with its password.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use rustls::ClientConfig;
use tokio_postgres::Config;

use super::tls::{self, Mode, Roots};
use crate::error::{Result, StoreError};
use crate::location::{Location, Parameters, Passwords};

/// How long connecting to a server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long sent bytes may stay unacknowledged before the connection counts as lost.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// The usual folders of servers' sockets, and their usual port.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];
const PORT: u16 = 5432;

/// The parsed location of a database.
#[derive(Clone)]
pub(super) struct Address {
    /// The servers to try, in this order.
    pub(super) servers: Vec<Server>,
    /// How long connecting to one of them may take.
    pub(super) connect_timeout: Option<Duration>,
    /// How connections are encrypted, and whose certificates are trusted.
    pub(super) tls: ClientConfig,
    pub(super) roots: Roots,
    shown: String,
}

/// One server.
#[derive(Debug, Clone)]
pub(super) struct Server {
    /// How to connect to this server alone.
    pub(super) config: Config,
    pub(super) mode: Mode,
    /// Its host and port, or its socket.
    pub(super) place: String,
}

impl Address {
    /// Parses a URL such as `postgres://user:password@host:5432/database`; the environment supplies what it leaves out.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`] if it is no such URL or has an invalid value.
    pub(super) fn parse(location: &Location) -> Result<Self> {
        let shown = location.to_string();
        Self::parse_url(location, &shown)
            .map_err(|reason| StoreError::BadUrl { url: shown, reason })
    }

    fn parse_url(location: &Location, shown: &str) -> Result<Self, String> {
        let mut parameters = location.parameters()?;
        location.environment().fill_in(&mut parameters);
        let (mode, roots) = tls::read(&parameters)?;
        let connect_timeout = match number::<u64>(&parameters, "connect_timeout")? {
            None => Some(CONNECT_TIMEOUT),
            Some(seconds) => Some(Duration::from_secs(seconds)).filter(|time| !time.is_zero()),
        };
        let common = common(&parameters)?;
        let passwords = match parameters.contains_key("password") {
            true => Passwords::default(),
            false => location.environment().passwords(),
        };
        let hosts = hosts(&parameters)?;
        let server = |host: HostSpec| host.server(&common, mode, &passwords);
        Ok(Self {
            servers: hosts.into_iter().map(server).collect(),
            connect_timeout,
            tls: tls::client_config(mode, &roots)?,
            roots,
            shown: shown.to_owned(),
        })
    }

    /// The URL without its password.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("url", &self.shown).finish_non_exhaustive()
    }
}

/// A server as the URL names it.
struct HostSpec {
    host: Option<String>,
    address: Option<IpAddr>,
    port: u16,
}

impl HostSpec {
    fn server(self, common: &Config, mode: Mode, passwords: &Passwords) -> Server {
        let Self { host, address, port } = self;
        let mut config = common.clone();
        config.port(port);
        if let Some(host) = &host {
            config.host(host);
        }
        if let Some(address) = address {
            config.hostaddr(address);
        }
        let name = host.unwrap_or_else(|| address.map(|ip| ip.to_string()).unwrap_or_default());
        // A socket needs no encryption.
        let is_socket = name.starts_with('/') && address.is_none();
        let mode = if is_socket { Mode::Disable } else { mode };
        if let Some(password) = password(common, &name, port, passwords) {
            config.password(password);
        }
        let place = match is_socket {
            true => format!("{name}/.s.PGSQL.{port}"),
            false if name.contains(':') => format!("[{name}]:{port}"),
            false => format!("{name}:{port}"),
        };
        Server { config, mode, place }
    }
}

fn password(common: &Config, name: &str, port: u16, passwords: &Passwords) -> Option<String> {
    let user = common.get_user().unwrap_or_default();
    let database = common.get_dbname().unwrap_or(user);
    let name = if name == socket_folder() { "localhost" } else { name };
    passwords.find([name, &port.to_string(), database, user])
}

/// The servers: one for each host, or for each address.
fn hosts(parameters: &Parameters) -> Result<Vec<HostSpec>, String> {
    let list = |keyword| -> Vec<&str> {
        let value = parameters.get(keyword).filter(|value| !value.is_empty());
        value.map(|value| value.split(',').collect()).unwrap_or_default()
    };
    let (hosts, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
    let count = hosts.len().max(addresses.len()).max(1);
    let fits = |given: &[&str], else_allowed: usize| [else_allowed, count].contains(&given.len());
    let is_complete = fits(&hosts, 0) && fits(&addresses, 0);
    if !is_complete || !(ports.is_empty() || fits(&ports, 1)) {
        return Err("it does not name as many ports and addresses as hosts".to_owned());
    }
    let place = |index: usize| {
        let port = ports.get(index).or_else(|| ports.first()).filter(|port| !port.is_empty());
        let address = addresses.get(index).filter(|address| !address.is_empty());
        let address = address.map(|address| parse_value(address, "hostaddr")).transpose()?;
        let host = hosts.get(index).filter(|host| !host.is_empty()).map(|host| (*host).to_owned());
        let is_nowhere = host.is_none() && address.is_none();
        Ok(HostSpec {
            host: if is_nowhere { Some(socket_folder().to_owned()) } else { host },
            address,
            port: port.map_or(Ok(PORT), |port| parse_value(port, "port"))?,
        })
    };
    (0..count).map(place).collect()
}

fn socket_folder() -> &'static str {
    let [debian, original] = SOCKET_FOLDERS;
    if Path::new(debian).is_dir() { debian } else { original }
}

/// What the connection uses unless the URL says otherwise: a lost connection is noticed within a minute.
const DEFAULTS: &str =
    "application_name=windlass keepalives_idle=30 keepalives_interval=10 keepalives_retries=3";

/// The settings that all servers share. `tokio-postgres` reads them; this translates what libpq spells differently.
fn common(parameters: &Parameters) -> Result<Config, String> {
    let mut settings = DEFAULTS.to_owned();
    for (&keyword, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        let (option, value) = match (keyword, value.trim()) {
            ("host" | "hostaddr" | "port", _) => continue,
            ("connect_timeout" | "tcp_user_timeout" | "sslmode" | "sslrootcert", _) => continue,
            ("keepalives_count", count) => ("keepalives_retries", count),
            // A primary that is read-only would be of no use.
            ("target_session_attrs", "primary") => (keyword, "read-write"),
            ("target_session_attrs", "read-only" | "standby" | "prefer-standby") => {
                return Err(READ_ONLY.to_owned());
            }
            (keyword, number) if keyword.starts_with("keepalives") => (keyword, number),
            _ => (keyword, value.as_str()),
        };
        let value = value.replace('\\', r"\\").replace('\'', r"\'");
        let setting = format!("{option}='{value}'");
        // One by one, because the error does not name the keyword as it is written.
        setting.parse::<Config>().map_err(|_may_quote_a_secret| invalid(keyword))?;
        settings = format!("{settings} {setting}");
    }
    let mut config: Config =
        settings.parse().map_err(|_may_quote_a_secret| "its parameters contradict each other")?;
    // libpq counts it in milliseconds, `tokio-postgres` in seconds.
    let unacknowledged = number(parameters, "tcp_user_timeout")?.filter(|number| *number > 0);
    config.tcp_user_timeout(unacknowledged.map_or(UNACKNOWLEDGED, Duration::from_millis));
    Ok(config)
}

const READ_ONLY: &str =
    "its `target_session_attrs` asks for a server that only reads: ask for `read-write`";

fn number<T: FromStr>(parameters: &Parameters, keyword: &'static str) -> Result<Option<T>, String> {
    let value = parameters.get(keyword).filter(|value| !value.is_empty());
    value.map(|value| parse_value(value, keyword)).transpose()
}

fn parse_value<T: FromStr>(value: &str, keyword: &'static str) -> Result<T, String> {
    // The value is not shown: it may be part of a password.
    value.trim().parse().map_err(|_not_shown| invalid(keyword))
}

fn invalid(keyword: &str) -> String {
    format!("the value of its `{keyword}` is not valid")
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::{ChannelBinding, TargetSessionAttrs};

    use super::*;
    use crate::location::PostgresEnvironment;

    fn parse(url: &str) -> Result<Address> {
        Address::parse(&Location::from(url))
    }

    fn reason(url: &str) -> String {
        parse(url).unwrap_err().to_string()
    }

    #[test]
    fn a_password_is_never_shown_however_it_is_written() {
        for url in [
            "postgres://ann:s3cret@h/d",
            "postgres://ann:a@s3cret@h/d",
            "postgres://ann:a/s3cret@h/d",
            "postgres://ann:1/s3cret@h/d",
            "postgres://ann:a?s3cret=1@h/d",
            "postgres://ann:a:s3cret@h/d",
            "postgres://ann:%s3cret@h/d",
            "postgres://ann@h/d?password=s3cret",
            "postgres://ann@h/d?pass%77ord=s3cret",
            "postgres://ann@h/d?sslmode=prefer&password=s3cret&x=1",
            "host=h user=ann password=s3cret",
            "ann:s3cret@h",
        ] {
            let said = parse(url).map_err(|error| error.to_string());
            let servers = said.as_ref().map(|address| address.servers.clone());

            assert!(!format!("{said:?} {servers:?}").contains("s3cret"), "{said:?}");
        }
    }

    #[test]
    fn each_host_has_its_port() {
        let places = |url: &str| -> Vec<String> {
            parse(url).unwrap().servers.into_iter().map(|server| server.place).collect()
        };

        assert_eq!(places("postgres://h"), ["h:5432"]);
        assert_eq!(places("postgres://a:1,b,[::1]:3/d"), ["a:1", "b:5432", "[::1]:3"]);
        assert_eq!(places("postgres://a,b/d?port=7"), ["a:7", "b:7"]);
        assert_eq!(places("postgres:///d?host=/run/pg"), ["/run/pg/.s.PGSQL.5432"]);
        assert_eq!(places("postgres://h/d?hostaddr=10.0.0.1"), ["h:5432"]);
        assert_eq!(places("postgres:///d"), [format!("{}/.s.PGSQL.5432", socket_folder())]);
        assert!(reason("postgres://a,b,c/d?port=1,2").contains("as many ports"));
    }

    #[test]
    fn a_socket_is_never_encrypted() {
        let address = parse("postgres:///d?host=/run/pg,h&sslmode=require").unwrap();

        let modes: Vec<_> = address.servers.iter().map(|server| server.mode).collect();

        assert_eq!(modes, [Mode::Disable, Mode::Require]);
    }

    #[test]
    fn the_parameters_of_the_url_are_used() {
        let url = "postgres://ann:pw@h/d?application_name=x&options=-c%20a%3Db&connect_timeout=3\
                   &target_session_attrs=primary&channel_binding=require&keepalives=0&tcp_user_timeout=1500";
        let address = parse(url).unwrap();
        let config = &address.servers[0].config;

        assert_eq!(address.connect_timeout, Some(Duration::from_secs(3)));
        assert_eq!((config.get_user(), config.get_dbname()), (Some("ann"), Some("d")));
        assert_eq!(config.get_password(), Some(&b"pw"[..]));
        assert_eq!(config.get_application_name(), Some("x"));
        assert_eq!(config.get_options(), Some("-c a=b"));
        assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert_eq!(config.get_channel_binding(), ChannelBinding::Require);
        assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_millis(1500)));
        assert!(!config.get_keepalives());
        assert_eq!(parse("postgres://h?connect_timeout=0").unwrap().connect_timeout, None);
    }

    #[test]
    fn a_read_only_server_is_refused() {
        for attributes in ["read-only", "standby", "prefer-standby"] {
            let reason = reason(&format!("postgres://h/d?target_session_attrs={attributes}"));

            assert!(reason.contains("`read-write`"), "{attributes}: {reason}");
        }
    }

    #[test]
    fn an_invalid_value_is_reported_by_its_keyword() {
        for (url, keyword) in [
            ("postgres://h:a/d", "`port`"),
            ("postgres://h:70000/d", "`port`"),
            ("postgres://h/d?connect_timeout=soon", "`connect_timeout`"),
            ("postgres://h/d?channel_binding=yes", "`channel_binding`"),
            ("postgres://h/d?hostaddr=h", "`hostaddr`"),
        ] {
            let reason = reason(url);

            assert!(reason.contains(keyword), "{url}: {reason}");
        }
    }

    #[test]
    fn each_server_gets_its_own_password() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pass");
        std::fs::write(&file, "a:5432:d:ann:one\nb:*:d:ann:two\nlocalhost:*:*:*:three\n").unwrap();
        let mut permissions = file.metadata().unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
        std::fs::set_permissions(&file, permissions).unwrap();
        let environment = PostgresEnvironment::read(|name| match name {
            "PGPASSFILE" => Some(file.display().to_string()),
            _ => None,
        });
        let passwords = |url: &str| -> Vec<Option<String>> {
            let location = Location::from(url).with_environment(environment.clone());
            let servers = Address::parse(&location).unwrap().servers;
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_owned()).unwrap();
            servers.iter().map(|server| server.config.get_password().map(text)).collect()
        };
        let some = |text: &str| Some(text.to_owned());

        assert_eq!(passwords("postgres://ann@a,b,c/d"), [some("one"), some("two"), None]);
        assert_eq!(passwords("postgres://ann:own@a/d"), [some("own")]);
        assert_eq!(passwords("postgres://ann@/d"), [some("three")]);
    }
}
