//! `[tools.http] allow`: the servers that scripts may talk to, by name and by address.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use windlass_core::{Failure, FailureClass};

use super::address::is_public;
use crate::config::ToolsConfigError;

/// The allowed servers.
#[derive(Debug)]
pub(super) struct AllowList {
    entries: Vec<ServerPattern>,
}

/// The servers that an entry of the configuration names: one, or all below a domain.
#[derive(Debug)]
pub(super) struct ServerPattern {
    host: Host,
    /// `None` is every port.
    port: Option<u16>,
}

#[derive(Debug)]
enum Host {
    /// In the form of a URL: lower case, IPv6 in brackets.
    Exact(String),
    /// `.example.com`: every name that ends with this.
    Below(String),
}

/// The server of a URL. The list allows its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    /// In the form of a URL.
    pub(super) host: String,
    pub(super) port: u16,
}

impl AllowList {
    pub(super) fn parse(entries: &[String]) -> Result<Self, ToolsConfigError> {
        let parse = |entry: &String| {
            ServerPattern::parse(entry)
                .map_err(|reason| ToolsConfigError::Allow { entry: entry.clone(), reason })
        };
        Ok(Self { entries: entries.iter().map(parse).collect::<Result<_, _>>()? })
    }

    /// The server of `url`, if scripts may send requests to it.
    pub(super) fn server(&self, url: &Url) -> Result<Server, Failure> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Failure::logic(format!(
                "`{}:` is no scheme of `Http`: use http or https",
                url.scheme()
            )));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Failure::logic(
                "a URL may hold no user name and no password: pass an `authorization` header",
            ));
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(Failure::logic("the URL names no server"));
        };
        if !self.entries.iter().any(|entry| entry.matches(host, port)) {
            return Err(Failure::new(
                FailureClass::Permission,
                format!(
                    "scripts may not talk to `{host}:{port}`: to permit it, add it to `[tools.http] allow`"
                ),
            ));
        }
        Ok(Server { host: host.to_owned(), port })
    }

    /// Whether a connection to `address` is allowed for `server`. The owner of a name can point it at any address, so a name
    /// in the list does not allow addresses of this machine or its network. Only an address in the list does, and `localhost`.
    pub(super) fn check_address(
        &self,
        server: &Server,
        address: SocketAddr,
    ) -> Result<(), Failure> {
        let ip = address.ip().to_canonical();
        let is_allowed = is_public(ip)
            || (server.host == "localhost" && ip.is_loopback())
            || self.entries.iter().any(|entry| entry.matches(&url_host(ip), server.port));
        if is_allowed {
            return Ok(());
        }
        let Server { host, port } = server;
        let literal = url_host(ip);
        Err(Failure::new(
            FailureClass::Permission,
            format!(
                "`{host}` is at {ip}, an address that is not on the public internet: to permit it, add \
                 `{literal}:{port}` itself to `[tools.http] allow`"
            ),
        ))
    }
}

impl ServerPattern {
    pub(super) fn parse(entry: &str) -> Result<Self, &'static str> {
        if entry.contains(['/', '@', '?', '#', '\\']) || entry.contains(char::is_whitespace) {
            return Err("write `host` or `host:port`, without `https://` and without a path");
        }
        let (wildcard, rest) = entry.strip_prefix("*.").map_or((false, entry), |rest| (true, rest));
        let (host, port) = split_port(rest)?;
        let url = Url::parse(&format!("http://{host}/"))
            .map_err(|_wrong| "the host is not spelt like one")?;
        let host = url.host_str().ok_or("the host is missing")?;
        if host.contains('*') {
            return Err(
                "a `*` may only stand for what is before the first dot, as in `*.example.com`",
            );
        }
        if !wildcard {
            return Ok(Self { host: Host::Exact(host.to_owned()), port });
        }
        if url.domain().is_none() {
            return Err("`*.` goes with a name, not with an address");
        }
        Ok(Self { host: Host::Below(format!(".{host}")), port })
    }

    /// How specific it is. The greater value is more specific.
    pub(super) fn specificity(&self) -> (bool, usize, bool) {
        let (is_exact, name) = match &self.host {
            Host::Exact(name) => (true, name),
            Host::Below(name) => (false, name),
        };
        (is_exact, name.len(), self.port.is_some())
    }

    pub(super) fn matches(&self, host: &str, port: u16) -> bool {
        let is_host = match &self.host {
            Host::Exact(exact) => exact == host,
            Host::Below(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        };
        is_host && self.port.is_none_or(|it| it == port)
    }
}

fn split_port(text: &str) -> Result<(String, Option<u16>), &'static str> {
    if let Ok(ip) = text.parse::<Ipv6Addr>() {
        return Ok((url_host(ip.into()), None));
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let port = port.parse().map_err(|_wrong| "the port is no number from 1 to 65535")?;
            Ok((host.to_owned(), Some(port)))
        }
        _ => Ok((text.to_owned(), None)),
    }
}

/// An address in the form of a URL.
fn url_host(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> AllowList {
        AllowList::parse(&entries.iter().map(|&it| it.to_owned()).collect::<Vec<_>>()).unwrap()
    }

    fn allows(entries: &[&str], url: &str) -> bool {
        list(entries).server(&Url::parse(url).unwrap()).is_ok()
    }

    #[test]
    fn an_entry_with_a_port_allows_that_port_alone() {
        let entries = ["api.example.com:8443", "plain.example.com:80", "[::1]:8080"];

        assert!(allows(&entries, "https://api.example.com:8443/x"));
        assert!(allows(&entries, "http://plain.example.com/x"));
        assert!(allows(&entries, "http://[::1]:8080/"));
        assert!(!allows(&entries, "https://api.example.com/"));
        assert!(!allows(&entries, "https://plain.example.com/"));
        assert!(!allows(&entries, "http://[::1]/"));
    }

    #[test]
    fn an_entry_without_a_port_allows_every_port() {
        for url in
            ["http://api.example.com", "https://API.example.com", "http://api.example.com:8080"]
        {
            assert!(allows(&["Api.Example.com"], url), "{url}");
        }
        assert!(allows(&["::1"], "http://[::1]:9/") && allows(&["[::1]"], "http://[::1]/"));
    }

    #[test]
    fn a_star_stands_for_what_is_below_the_name() {
        assert!(allows(&["*.example.com"], "https://a.example.com"));
        assert!(allows(&["*.example.com"], "https://a.b.example.com"));
        for url in [
            "https://example.com",
            "https://badexample.com",
            "https://a.example.com.evil.org",
            "https://.example.com",
        ] {
            assert!(Url::parse(url).is_err() || !allows(&["*.example.com"], url), "{url}");
        }
    }

    #[test]
    fn an_address_in_disguise_is_the_address() {
        assert!(allows(&["127.0.0.1:80"], "http://2130706433/"));
        assert!(!allows(&["example.com"], "http://0x7f.1/"));
    }

    #[test]
    fn entries_that_name_no_server_are_refused() {
        for entry in [
            "https://a.example",
            "a.example/x",
            "a.example:http",
            "a.example:70000",
            "",
            "a b",
            "*.1.2.3.4",
            "a.*.b",
            "*",
        ] {
            let error = AllowList::parse(&[entry.to_owned()]).unwrap_err();
            assert!(error.to_string().contains("[tools.http] allow"), "{entry}: {error}");
        }
    }

    #[test]
    fn other_schemes_and_credentials_are_refused() {
        for url in [
            "ftp://a.example/",
            "file:///etc/passwd",
            "http://u:p@a.example/",
            "http://u@a.example/",
            "data:,x",
        ] {
            let failure = list(&["a.example"]).server(&Url::parse(url).unwrap()).unwrap_err();
            assert_eq!(failure.class, FailureClass::Logic, "{url}");
        }
    }

    fn address_is_allowed(entries: &[&str], url: &str, address: &str) -> bool {
        let list = list(entries);
        let server = list.server(&Url::parse(url).unwrap()).unwrap();
        list.check_address(&server, address.parse().unwrap()).is_ok()
    }

    #[test]
    fn a_name_opens_no_door_to_the_private_network() {
        let entries = ["nas.example", "*.local.example", "10.0.0.5:8080"];

        assert!(address_is_allowed(&entries, "http://nas.example/", "1.1.1.1:80"));
        for address in [
            "127.0.0.1:80",
            "10.0.0.5:80",
            "169.254.169.254:80",
            "[::1]:80",
            "[::ffff:127.0.0.1]:80",
        ] {
            assert!(!address_is_allowed(&entries, "http://nas.example/", address), "{address}");
        }
        assert!(!address_is_allowed(&entries, "http://a.local.example/", "192.168.0.1:80"));
    }

    #[test]
    fn a_private_address_is_allowed_where_the_list_has_it() {
        let entries = ["nas.example", "10.0.0.5:8080", "[fd00::1]:80"];

        assert!(address_is_allowed(&entries, "http://10.0.0.5:8080/", "10.0.0.5:8080"));
        assert!(address_is_allowed(&entries, "http://nas.example:8080/", "10.0.0.5:8080"));
        assert!(address_is_allowed(&entries, "http://nas.example:8080/", "[::ffff:10.0.0.5]:8080"));
        assert!(address_is_allowed(&entries, "http://nas.example/", "[fd00::1]:80"));
        assert!(!address_is_allowed(&entries, "http://nas.example:8081/", "10.0.0.5:8081"));
    }

    #[test]
    fn localhost_is_this_machine_and_nothing_else() {
        assert!(address_is_allowed(&["localhost:80"], "http://localhost/", "127.0.0.1:80"));
        assert!(address_is_allowed(&["localhost"], "http://localhost/", "[::1]:80"));
        assert!(!address_is_allowed(&["localhost"], "http://localhost/", "10.0.0.1:80"));
    }
}
