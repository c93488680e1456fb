//! `[[tools.http.endpoints]]`: how to find out whether a request had an effect when its response was lost.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{StatusCode, Url};
use serde_json::{Value, json};
use windlass_core::{Age, Failure};
use windlass_scheduler::Place;

use super::allow::AllowList;
use crate::config::ToolsConfigError;
use crate::config::{EndpointConfig, LookUpConfig};
use crate::place;

/// The placeholder for the idempotency key.
const KEY: &str = "{key}";

/// How long after the request a missing effect proves that it did not happen, if the configuration does not say. Before that,
/// the server may still be processing the request.
const ABSENCE_AFTER: Duration = Duration::from_secs(60);

/// How long a server recognises a key, if the configuration does not say: an hour less than the day that services usually promise.
const KEYS_KEPT: Age = Age::Span(Duration::from_secs(23 * 60 * 60));

/// The characters of a key that are escaped in a URL.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The endpoints whose effects can be looked up, the longest path first.
#[derive(Debug)]
pub(super) struct Endpoints(Vec<Endpoint>);

/// All URLs below one, and how to look up the effects of requests to them.
#[derive(Debug)]
pub(super) struct Endpoint {
    url: Url,
    pub(super) method: LookupMethod,
    pub(super) absence_after: Duration,
}

/// How to look up an effect.
#[derive(Debug)]
pub(super) enum LookupMethod {
    /// Send the same request again. The server recognises its key for a while and does not repeat the effect.
    Resend { keys_kept: Age },
    /// Query the effect.
    Query(EndpointLookup),
}

/// A query that shows whether an effect is there.
#[derive(Debug)]
pub(super) struct EndpointLookup {
    /// A URL with [`KEY`] in it.
    url: String,
    /// The JSON pointer and the value that the response has there if the effect is there. Without this, the status decides.
    found: Option<(String, Value)>,
}

impl Endpoints {
    pub(super) fn parse(
        config: &[EndpointConfig],
        allow: &AllowList,
    ) -> Result<Self, ToolsConfigError> {
        let parse = |endpoint: &EndpointConfig| {
            Endpoint::parse(endpoint, allow)
                .map_err(|reason| ToolsConfigError::Endpoint { url: endpoint.url.clone(), reason })
        };
        let mut endpoints: Vec<_> = config.iter().map(parse).collect::<Result<_, _>>()?;
        endpoints.sort_by_key(|it| std::cmp::Reverse(it.url.path().len()));
        Ok(Self(endpoints))
    }

    /// The endpoint that `url` belongs to.
    pub(super) fn of(&self, url: &Url) -> Option<&Endpoint> {
        self.0.iter().find(|endpoint| endpoint.covers(url))
    }

    /// The place of the effects of requests to `url`: its server, and the server that is queried about them.
    pub(super) fn place(&self, url: &Url) -> Place {
        let queried = self.of(url).and_then(|endpoint| match &endpoint.method {
            LookupMethod::Resend { .. } => None,
            LookupMethod::Query(lookup) => lookup.url("").ok(),
        });
        let name = format!("server `{}`", url.origin().ascii_serialization());
        let queried = queried.map(|url| place::server(&url));
        Place::new(name, &json!(["http", place::server(url), queried]))
    }
}

impl Endpoint {
    fn parse(config: &EndpointConfig, allow: &AllowList) -> Result<Self, String> {
        let url = Url::parse(&config.url).map_err(|wrong| wrong.to_string())?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(
                "write it without `?` and `#`: it is the beginning of other URLs".to_owned()
            );
        }
        allow.server(&url).map_err(|failure| failure.message)?;
        let (method, default) = match (config.idempotent, &config.look_up) {
            (true, None) => {
                let keys_kept = config.keys_kept.unwrap_or(KEYS_KEPT);
                (LookupMethod::Resend { keys_kept }, Duration::ZERO)
            }
            (false, Some(_)) if config.keys_kept.is_some() => {
                return Err("leave out `keys_kept`: it goes with `idempotent`".to_owned());
            }
            (false, Some(look_up)) => {
                (LookupMethod::Query(EndpointLookup::parse(look_up, allow)?), ABSENCE_AFTER)
            }
            (true, Some(_)) => {
                return Err(
                    "leave out `look_up`: what is `idempotent` is found out by sending it again"
                        .to_owned(),
                );
            }
            (false, None) => {
                return Err("say how a lost answer is found out: `idempotent = true` or `look_up`"
                    .to_owned());
            }
        };
        let seconds = |n: u32| Duration::from_secs(n.into());
        Ok(Self { url, method, absence_after: config.absence_after_s.map_or(default, seconds) })
    }

    fn covers(&self, url: &Url) -> bool {
        self.url.scheme() == url.scheme()
            && self.url.host_str() == url.host_str()
            && self.url.port_or_known_default() == url.port_or_known_default()
            && is_below(url.path(), self.url.path())
    }
}

/// Whether `path` is `prefix` or continues it after a whole segment.
fn is_below(path: &str, prefix: &str) -> bool {
    let folder = prefix.strip_suffix('/').unwrap_or(prefix);
    // Some servers decode an encoded slash, and then the path means another resource.
    let hides_slash = |rest: &str| {
        let rest = rest.to_ascii_lowercase();
        rest.contains("%2f") || rest.contains("%5c")
    };
    path == prefix
        || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/') && !hides_slash(rest))
}

impl EndpointLookup {
    fn parse(config: &LookUpConfig, allow: &AllowList) -> Result<Self, String> {
        let found = config.found.as_ref().map(|it| (it.pointer.clone(), it.equals.clone()));
        let key_in_body =
            found.as_ref().is_some_and(|(_, equals)| equals.to_string().contains(KEY));
        if !config.url.contains(KEY) && !key_in_body {
            return Err(format!(
                "`look_up` does not say where `{KEY}` belongs: it could not tell one effect from another"
            ));
        }
        if found
            .as_ref()
            .is_some_and(|(pointer, _)| !pointer.is_empty() && !pointer.starts_with('/'))
        {
            return Err("`found.pointer` is a JSON pointer, such as `/data/0/key`".to_owned());
        }
        let lookup = Self { url: config.url.clone(), found };
        let wrong = |failure: Failure| format!("`look_up.url`: {failure}");
        lookup.url("0").and_then(|url| allow.server(&url)).map_err(wrong)?;
        Ok(lookup)
    }

    /// The URL that queries the effect of this key.
    pub(super) fn url(&self, key: &str) -> Result<Url, Failure> {
        let key = utf8_percent_encode(key, &ESCAPED).to_string();
        Url::parse(&self.url.replace(KEY, &key))
            .map_err(|err| Failure::logic(format!("`{}` is no whole URL: {err}", self.url)))
    }

    /// Whether the response shows the effect of this key. `None` means that it shows neither presence nor absence.
    pub(super) fn finds(&self, status: StatusCode, body: &Value, key: &str) -> Option<bool> {
        match (status.as_u16(), &self.found) {
            (404 | 410, _) => Some(false),
            (200..300, None) => Some(true),
            // Anything but an object or array is not the expected JSON.
            (200..300, Some((pointer, equals))) if body.is_object() || body.is_array() => {
                Some(body.pointer(pointer) == Some(&with_key(equals, key)))
            }
            _ => None,
        }
    }
}

fn with_key(value: &Value, key: &str) -> Value {
    match value.as_str() {
        Some(text) => Value::String(text.replace(KEY, key)),
        None => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn endpoints(config: &Value) -> Result<Endpoints, String> {
        let config: Vec<EndpointConfig> = serde_json::from_value(config.clone()).unwrap();
        let allow = AllowList::parse(&["api.example".to_owned()]).unwrap();
        Endpoints::parse(&config, &allow).map_err(|error| error.to_string())
    }

    fn covers(prefix: &str, url: &str) -> bool {
        let endpoints = endpoints(&json!([{"url": prefix, "idempotent": true}])).unwrap();
        endpoints.of(&Url::parse(url).unwrap()).is_some()
    }

    #[test]
    fn a_prefix_ends_where_a_segment_ends() {
        let prefix = "https://api.example/v1/orders";
        for below in ["", "/", "/7", "/7/lines", "?dry=1", "#x", "/a/../7"] {
            assert!(covers(prefix, &format!("{prefix}{below}")), "{below}");
        }
        for beside in ["2", "-old/7", "/../admin", "/%2e%2e/admin", "/..%2Fadmin", "/..%5cadmin"] {
            assert!(!covers(prefix, &format!("{prefix}{beside}")), "{beside}");
        }
        assert!(covers("https://api.example/v1/", "https://api.example/v1/orders"));
        assert!(!covers("https://api.example/v1/", "https://api.example/v1"));
        assert!(covers("https://api.example", "https://api.example/anything"));
    }

    #[test]
    fn scheme_host_and_port_are_the_same() {
        let prefix = "https://API.example:443/v1";
        assert!(covers(prefix, "https://api.example/v1/x"));
        for other in [
            "http://api.example/v1",
            "http://api.example:443/v1",
            "https://api.example:8443/v1",
            "https://api.example.evil.org/v1",
            "https://evil.org/?https://api.example/v1",
            "https://api.example@evil.org/v1",
            "https://evil.org/https://api.example/v1",
        ] {
            assert!(!covers(prefix, other), "{other}");
        }
    }

    #[test]
    fn the_place_of_an_effect_is_the_server_and_the_one_that_is_queried() {
        let place = |config: &Value, url: &str| {
            let config: Vec<EndpointConfig> = serde_json::from_value(config.clone()).unwrap();
            let allow =
                AllowList::parse(&["api.example", "test.example"].map(str::to_owned)).unwrap();
            Endpoints::parse(&config, &allow).unwrap().place(&Url::parse(url).unwrap())
        };
        let queried = |server: &str| {
            let look_up = json!({"url": format!("https://{server}/orders?key={{key}}")});
            json!([{"url": "https://api.example/", "look_up": look_up}])
        };
        let (none, url) = (json!([]), "https://api.example/orders");

        assert_eq!(place(&none, url).name, "server `https://api.example`");
        assert_eq!(place(&none, url), place(&none, "https://api.example:443/else?where"));
        assert_ne!(place(&none, url), place(&none, "http://api.example/orders"));
        assert_eq!(place(&queried("api.example"), url), place(&queried("api.example"), url));
        assert_ne!(place(&queried("api.example"), url), place(&queried("test.example"), url));
    }

    #[test]
    fn the_longest_path_decides() {
        let look_up = json!({"url": "https://api.example/orders?key={key}"});
        let endpoints = endpoints(&json!([
            {"url": "https://api.example/", "idempotent": true},
            {"url": "https://api.example/orders", "look_up": look_up},
            {"url": "https://api.example/orders/drafts", "idempotent": true, "absence_after_s": 7},
        ]))
        .unwrap();
        let absence = |path: &str| {
            let url = Url::parse(&format!("https://api.example{path}")).unwrap();
            endpoints.of(&url).unwrap().absence_after.as_secs()
        };

        assert_eq!(["/x", "/orders/1", "/orders/drafts/1"].map(absence), [0, 60, 7]);
    }

    #[test]
    fn an_endpoint_that_could_settle_nothing_is_refused() {
        let wrong = [
            json!({"url": "https://api.example/"}),
            json!({"url": "/v1", "idempotent": true}),
            json!({"url": "https://api.example/?x=1", "idempotent": true}),
            json!({"url": "https://other.example/", "idempotent": true}),
            json!({"url": "https://api.example/", "idempotent": true, "look_up": {"url": "https://api.example/{key}"}}),
            json!({"url": "https://api.example/", "keys_kept": "1h", "look_up": {"url": "https://api.example/{key}"}}),
            json!({"url": "https://api.example/", "look_up": {"url": "https://api.example/orders"}}),
            json!({"url": "https://api.example/", "look_up": {"url": "https://other.example/{key}"}}),
            json!({"url": "https://api.example/", "look_up": {"url": "{key}"}}),
            json!({"url": "https://api.example/", "look_up": {"url": "https://api.example/{key}", "found": {"pointer": "a", "equals": 1}}}),
        ];
        let messages = wrong.map(|it| endpoints(&json!([it])).unwrap_err());

        expect_test::expect![[r#"
            cannot use `https://api.example/` of `[[tools.http.endpoints]]`: say how a lost answer is found out: `idempotent = true` or `look_up`
            cannot use `/v1` of `[[tools.http.endpoints]]`: relative URL without a base
            cannot use `https://api.example/?x=1` of `[[tools.http.endpoints]]`: write it without `?` and `#`: it is the beginning of other URLs
            cannot use `https://other.example/` of `[[tools.http.endpoints]]`: scripts may not talk to `other.example:443`: to permit it, add it to `[tools.http] allow`
            cannot use `https://api.example/` of `[[tools.http.endpoints]]`: leave out `look_up`: what is `idempotent` is found out by sending it again
            cannot use `https://api.example/` of `[[tools.http.endpoints]]`: leave out `keys_kept`: it goes with `idempotent`
            cannot use `https://api.example/` of `[[tools.http.endpoints]]`: `look_up` does not say where `{key}` belongs: it could not tell one effect from another
            cannot use `https://api.example/` of `[[tools.http.endpoints]]`: `look_up.url`: scripts may not talk to `other.example:443`: to permit it, add it to `[tools.http] allow`
            cannot use `https://api.example/` of `[[tools.http.endpoints]]`: `look_up.url`: `{key}` is no whole URL: relative URL without a base
            cannot use `https://api.example/` of `[[tools.http.endpoints]]`: `found.pointer` is a JSON pointer, such as `/data/0/key`"#]].assert_eq(&messages.join("\n"));
    }

    fn finds(found: &Value, status: u16, body: &Value) -> Option<bool> {
        let config = json!({"url": "https://api.example/orders?key={key}", "found": found});
        let allow = AllowList::parse(&["api.example".to_owned()]).unwrap();
        let lookup =
            EndpointLookup::parse(&serde_json::from_value(config).unwrap(), &allow).unwrap();
        lookup.finds(StatusCode::from_u16(status).unwrap(), body, "k/1")
    }

    #[test]
    fn without_a_condition_the_status_tells() {
        let body = json!("whatever");
        let told = [200, 204, 404, 410, 302, 400, 409].map(|it| finds(&Value::Null, it, &body));

        assert_eq!(told, [Some(true), Some(true), Some(false), Some(false), None, None, None]);
    }

    #[test]
    fn a_condition_is_about_one_value_of_a_json_answer() {
        let by_count = json!({"pointer": "/count", "equals": 1});
        let by_key = json!({"pointer": "/orders/0/key", "equals": "{key}"});

        assert_eq!(finds(&by_count, 200, &json!({"count": 1})), Some(true));
        assert_eq!(finds(&by_count, 200, &json!({"count": 0})), Some(false));
        assert_eq!(finds(&by_key, 200, &json!({"orders": [{"key": "k/1"}]})), Some(true));
        assert_eq!(finds(&by_key, 200, &json!({"orders": []})), Some(false));
        assert_eq!(finds(&by_key, 404, &Value::Null), Some(false));
        assert_eq!(finds(&by_key, 200, &json!("<html>please log in</html>")), None);
    }

    #[test]
    fn a_key_is_spelt_out_in_a_url() {
        let lookup =
            EndpointLookup { url: "https://api.example/{key}?key={key}".to_owned(), found: None };

        let url = lookup.url("a/b?c&d e").unwrap();
        assert_eq!(url.as_str(), "https://api.example/a%2Fb%3Fc%26d%20e?key=a%2Fb%3Fc%26d%20e");
    }
}
