//! What every request passes, whatever it asks for: under which name it came, from which page, and with which headers it is answered.

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::caller::COOKIE;
use super::problem::Problem;
use super::state::HttpState;

/// What a page of ours may load: nothing from elsewhere, and nothing that stands in the page itself.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Refuses a request that came under a foreign name, or from a page of another site.
pub(super) async fn check(
    State(state): State<HttpState>,
    request: Request,
    next: Next,
) -> Response {
    if let Err(problem) = check_host(&request, state.hosts()).and_then(|()| check_origin(&request))
    {
        return problem.into_response();
    }
    next.run(request).await
}

/// Sets the headers that keep a browser from doing more with an answer than was meant. What a handler has set stays.
pub(super) async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// A page of another site could point its own name at this machine. Its requests carry that name.
fn check_host(request: &Request, hosts: &[String]) -> Result<(), Problem> {
    let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let named = named.or_else(|| request.uri().authority().map(Authority::as_str));
    let named = named.map(without_port).unwrap_or_default();
    if is_own_name(named) || hosts.iter().any(|host| host.eq_ignore_ascii_case(named)) {
        return Ok(());
    }
    let detail = format!("this server is not called `{named}`");
    let problem = Problem::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", detail);
    Err(problem.hint("name its address, or add the name to `[server] hosts` of the configuration"))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Names that no other site can take: those of this machine.
fn is_own_name(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || matches!(name, "127.0.0.1" | "[::1]")
}

/// A request that changes something and carries the cookie of a browser has to come from a page of this server.
fn check_origin(request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if is_safe || !has_cookie(headers) || is_same_origin(headers) {
        return Ok(());
    }
    let detail = "the request comes from a page of another site";
    Err(Problem::new(StatusCode::FORBIDDEN, "foreign_origin", detail))
}

fn has_cookie(headers: &HeaderMap) -> bool {
    let cookies = headers.get_all(header::COOKIE).into_iter();
    cookies.filter_map(|value| value.to_str().ok()).any(|text| text.contains(COOKIE))
}

/// What browsers say of where a request comes from: `Sec-Fetch-Site`, and before they knew it `Origin`.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(&HeaderName::from_static("sec-fetch-site")) {
        return matches!(site, "same-origin" | "none");
    }
    let origin = text(&header::ORIGIN).and_then(|origin| origin.parse::<Uri>().ok());
    let origin = origin.as_ref().and_then(|origin| origin.authority().map(Authority::as_str));
    origin.is_some() && origin == text(&header::HOST)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(method: Method, headers: &[(&str, &str)]) -> Request {
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn only_own_names_and_configured_ones_are_answered() {
        let hosts = ["windlass.example".to_owned()];
        for host in ["127.0.0.1:8420", "localhost", "[::1]:8420", "Windlass.example:443"] {
            assert!(check_host(&request(Method::GET, &[("host", host)]), &hosts).is_ok(), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil:80"] {
            assert!(
                check_host(&request(Method::GET, &[("host", host)]), &hosts).is_err(),
                "{host}"
            );
        }
        assert!(check_host(&request(Method::GET, &[]), &hosts).is_err());
    }

    #[test]
    fn a_browser_changes_something_only_from_our_own_pages() {
        let cookie = ("cookie", "windlass_session=x");
        let host = ("host", "localhost:8420");
        let may = |headers: &[(&str, &str)]| {
            let all: Vec<_> = [cookie, host].into_iter().chain(headers.iter().copied()).collect();
            check_origin(&request(Method::POST, &all)).is_ok()
        };

        assert!(may(&[("sec-fetch-site", "same-origin")]));
        assert!(may(&[("origin", "http://localhost:8420")]));
        assert!(!may(&[("sec-fetch-site", "cross-site"), ("origin", "http://localhost:8420")]));
        assert!(!may(&[("origin", "http://evil.example")]));
        assert!(!may(&[("origin", "null")]));
        assert!(!may(&[]));
        assert!(check_origin(&request(Method::GET, &[cookie, host])).is_ok());
        assert!(check_origin(&request(Method::POST, &[host])).is_ok());
    }
}
