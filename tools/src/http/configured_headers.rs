//! `[tools.http.headers]`: the headers that the configuration adds to requests for a server.

use std::collections::BTreeMap;
use std::net::IpAddr;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName};
use secrecy::{ExposeSecret as _, SecretString};
use windlass_core::Failure;

use super::allow::ServerPattern;
use super::request::{OutgoingRequest, header_value, is_reserved};
use crate::config::ToolsConfigError;
use crate::secrets::{SecretError, Secrets};

/// The configured headers of all servers. Scripts neither see nor replace them.
#[derive(Debug)]
pub(super) struct ConfiguredHeaders {
    /// The most general rule comes first, so that more specific ones replace its headers.
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    servers: ServerPattern,
    headers: Vec<Header>,
}

#[derive(Debug)]
struct Header {
    name: HeaderName,
    /// The value, or the secret that is missing for it.
    value: Result<SecretString, SecretError>,
}

impl ConfiguredHeaders {
    pub(super) fn parse(
        config: &BTreeMap<String, BTreeMap<String, String>>,
        secrets: &Secrets,
    ) -> Result<Self, ToolsConfigError> {
        let rule = |(entry, headers): (&String, &BTreeMap<String, String>)| {
            let servers = ServerPattern::parse(entry).map_err(|reason| {
                ToolsConfigError::HeadersServer { entry: entry.clone(), reason }
            })?;
            let header = |(name, value): (&String, &String)| {
                Header::parse(name, value, secrets).map_err(|reason| {
                    let (entry, name) = (entry.clone(), name.clone());
                    ToolsConfigError::Header { entry, name, reason }
                })
            };
            Ok(Rule { servers, headers: headers.iter().map(header).collect::<Result<_, _>>()? })
        };
        let mut rules: Vec<Rule> = config.iter().map(rule).collect::<Result<_, _>>()?;
        rules.sort_by_key(|rule| rule.servers.specificity());
        Ok(Self { rules })
    }

    /// The headers for a request. If two rules have the same header, the more specific rule decides.
    pub(super) fn of(&self, outgoing: &OutgoingRequest) -> Result<HeaderMap, Failure> {
        let OutgoingRequest { url, headers, .. } = outgoing;
        let mut configured = HeaderMap::new();
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Ok(configured);
        };
        for rule in self.rules.iter().filter(|rule| rule.servers.matches(host, port)) {
            if !is_confidential(url) {
                return Err(Failure::logic(format!(
                    "requests to `{host}` carry headers of the configuration, which nobody may read on the way: use https"
                )));
            }
            for Header { name, value } in &rule.headers {
                if headers.contains_key(name) {
                    return Err(Failure::logic(format!(
                        "the header `{name}` for `{host}` is set by the configuration: leave it out"
                    )));
                }
                let value = value.as_ref().map_err(Clone::clone)?;
                configured.insert(name, header_value(name.as_str(), value.expose_secret())?);
            }
        }
        Ok(configured)
    }
}

impl Header {
    fn parse(name: &str, value: &str, secrets: &Secrets) -> Result<Self, String> {
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_wrong| "it is no name of a header".to_owned())?;
        if is_reserved(&header) {
            return Err("Windlass sets it itself: leave it out".to_owned());
        }
        let value = match secrets.fill(value) {
            Ok(value) => {
                header_value(name, value.expose_secret()).map_err(|wrong| wrong.message)?;
                Ok(value)
            }
            Err(missing @ SecretError::Missing { .. }) => Err(missing),
            Err(wrong) => return Err(wrong.to_string()),
        };
        Ok(Self { name: header, value })
    }
}

/// Whether nobody on the network can read a request to `url`: it is encrypted, or it stays on this machine.
pub(crate) fn is_confidential(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let is_loopback =
        || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    url.scheme() == "https" || host == "localhost" || is_loopback()
}
