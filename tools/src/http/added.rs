//! `[tools.http.headers]`: what the configuration adds to requests for a server.

use std::collections::BTreeMap;
use std::net::IpAddr;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName};
use secrecy::{ExposeSecret as _, SecretString};
use windlass_core::Failure;

use super::allow::Entry;
use super::request::{Outgoing, header_value, is_reserved};
use crate::config::ToolsConfigError;
use crate::secrets::{SecretError, Secrets};

/// The headers of all servers. Scripts neither see nor replace them.
#[derive(Debug)]
pub(super) struct AddedHeaders {
    /// The less exactly a rule names its servers, the earlier it stands.
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    servers: Entry,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    name: HeaderName,
    /// Or which secret it lacks.
    value: Result<SecretString, SecretError>,
}

impl AddedHeaders {
    pub(super) fn parse(
        config: &BTreeMap<String, BTreeMap<String, String>>,
        secrets: &Secrets,
    ) -> Result<Self, ToolsConfigError> {
        let rule = |(entry, lines): (&String, &BTreeMap<String, String>)| {
            let servers = Entry::parse(entry).map_err(|reason| {
                ToolsConfigError::HeadersServer { entry: entry.clone(), reason }
            })?;
            let line = |(name, value): (&String, &String)| {
                Line::parse(name, value, secrets).map_err(|reason| {
                    let (entry, name) = (entry.clone(), name.clone());
                    ToolsConfigError::Header { entry, name, reason }
                })
            };
            Ok(Rule { servers, lines: lines.iter().map(line).collect::<Result<_, _>>()? })
        };
        let mut rules: Vec<Rule> = config.iter().map(rule).collect::<Result<_, _>>()?;
        rules.sort_by_key(|rule| rule.servers.exactness());
        Ok(Self { rules })
    }

    /// What is added to `outgoing`. Where two rules have the same header, the one that names the server more exactly counts.
    pub(super) fn of(&self, outgoing: &Outgoing) -> Result<HeaderMap, Failure> {
        let Outgoing { url, headers, .. } = outgoing;
        let mut added = HeaderMap::new();
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Ok(added);
        };
        for rule in self.rules.iter().filter(|rule| rule.servers.matches(host, port)) {
            if !is_private(url) {
                return Err(Failure::logic(format!(
                    "requests to `{host}` carry headers of the configuration, which nobody may read on the way: use https"
                )));
            }
            for Line { name, value } in &rule.lines {
                if headers.contains_key(name) {
                    return Err(Failure::logic(format!(
                        "the header `{name}` for `{host}` is set by the configuration: leave it out"
                    )));
                }
                let value = value.as_ref().map_err(Clone::clone)?;
                added.insert(name, header_value(name.as_str(), value.expose_secret())?);
            }
        }
        Ok(added)
    }
}

impl Line {
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

/// Whether nobody on the way can read a request to `url`: it is encrypted, or stays on this machine.
fn is_private(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let is_loopback =
        || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    url.scheme() == "https" || host == "localhost" || is_loopback()
}
