//! `[server]`: where the HTTP server listens, and under which names it is reached.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::Deserialize;

/// The port where nobody names one.
const PORT: u16 = 8420;

/// Where the HTTP server listens, and under which names it is reached.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ServerConfig {
    /// The address.
    pub(crate) listen: SocketAddr,
    /// How people outside this machine reach it: a proxy that speaks https.
    pub(crate) public_url: Option<String>,
    /// Other names under which it is reached.
    pub(crate) hosts: Vec<String>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT);
        Self { listen, public_url: None, hosts: Vec::new() }
    }
}

impl ServerConfig {
    /// Whether requests of other machines would reach `address` with nothing that encrypts them.
    pub(crate) fn is_exposed(&self, address: SocketAddr) -> bool {
        !address.ip().is_loopback() && !self.is_encrypted()
    }

    /// Whether people reach it over https.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }

    /// The names under which it is reached, besides those of this machine.
    pub(crate) fn names(&self) -> Vec<String> {
        self.hosts.iter().cloned().chain(self.public_host()).collect()
    }

    /// The URL of a path of the server that listens on `address`, for a person.
    pub(crate) fn url(&self, address: SocketAddr, path: &str) -> String {
        match &self.public_url {
            Some(url) => format!("{}{path}", url.trim_end_matches('/')),
            None => format!("http://{address}{path}"),
        }
    }

    fn public_host(&self) -> Option<String> {
        let (_scheme, rest) = self.public_url.as_deref()?.split_once("://")?;
        let authority = rest.split('/').next()?;
        authority.split(':').next().map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_need_a_public_url_that_encrypts() {
        let open: SocketAddr = "0.0.0.0:8420".parse().unwrap();
        let config = ServerConfig::default();
        let with = |url: &str| ServerConfig { public_url: Some(url.to_owned()), ..config.clone() };

        assert!(!config.is_exposed(config.listen));
        assert!(config.is_exposed(open) && with("http://a.example").is_exposed(open));
        let public = with("https://a.example:8443/");
        assert!(!public.is_exposed(open));
        assert_eq!(public.names(), ["a.example"]);
        assert_eq!(public.url(config.listen, "/sign-in"), "https://a.example:8443/sign-in");
        assert_eq!(config.url(config.listen, "/x"), "http://127.0.0.1:8420/x");
    }
}
