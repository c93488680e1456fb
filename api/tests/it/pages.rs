//! The pages: a person signs in, sees what waits, and decides, without a script in the browser.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use windlass_core::CredentialKind;

use crate::instance::{Answer, DEFAULT, Instance};

/// A browser in which a person has signed in.
struct Browser<'a> {
    instance: &'a Instance,
    cookie: String,
}

impl<'a> Browser<'a> {
    async fn signed_in(instance: &'a Instance) -> Self {
        let code = instance.credential(CredentialKind::SignIn, "admin", None).await;
        let answer = form(instance, "/sign-in", "", &format!("code={code}")).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
        let cookie = answer.header(header::SET_COOKIE).to_owned();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Self { instance, cookie }
    }

    async fn get(&self, path: &str) -> Answer {
        let request = Request::builder().uri(path).header(header::COOKIE, &self.cookie);
        self.instance.send(request.body(Body::empty()).unwrap()).await
    }

    async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        answer.text
    }

    async fn post(&self, path: &str, fields: &str) -> Answer {
        form(self.instance, path, &self.cookie, fields).await
    }
}

async fn form(instance: &Instance, path: &str, cookie: &str, fields: &str) -> Answer {
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::COOKIE, cookie)
        .header("sec-fetch-site", "same-origin");
    instance.send(request.body(Body::from(fields.to_owned())).unwrap()).await
}

#[tokio::test]
async fn a_sign_in_link_counts_once_and_a_session_ends() {
    let instance = Instance::on_sqlite().await;
    let code = instance.credential(CredentialKind::SignIn, "admin", None).await;
    let asked = instance.get(&format!("/sign-in?code={code}")).await;
    assert!(asked.text.contains("signs you in"), "looking at the link uses nothing up: {asked:?}");

    let first = form(&instance, "/sign-in", "", &format!("code={code}")).await;
    let second = form(&instance, "/sign-in", "", &format!("code={code}")).await;
    assert_eq!((first.status, second.status), (StatusCode::SEE_OTHER, StatusCode::FORBIDDEN));

    let browser = Browser::signed_in(&instance).await;
    let home = browser.get("/").await;
    assert_eq!(home.header(header::LOCATION), "/w/default");
    browser.page("/w/default").await;
    browser.post("/sign-out", "").await;
    assert_eq!(browser.get("/w/default").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn each_page_is_small_and_has_nothing_that_its_policy_forbids() {
    for instance in Instance::on_each_database().await {
        let browser = Browser::signed_in(&instance).await;
        let output = instance.doubt_of("asks-a-person").await;
        let sessions = instance.read(&format!("{DEFAULT}/workflows/receipts/sessions")).await;
        let session = sessions["items"][0]["id"].as_str().unwrap();
        for path in [
            &format!("/w/default/sessions/{session}"),
            "/w/default",
            "/w/default/waiting",
            "/w/default/workflows/receipts",
            "/w/default/workflows/asks-a-person",
            &format!("/w/default/outputs/{output}"),
        ] {
            let page = browser.page(path).await;
            assert!(page.len() <= 60 * 1024, "{path} has {} bytes", page.len());
            assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{path}");
            assert_eq!(page.matches("<h1>").count(), 1, "{path}");
            for forbidden in ["style=", "<script>", "onclick", "javascript:", "http://", "https://"]
            {
                assert!(!page.contains(forbidden), "{path} has {forbidden}");
            }
        }
    }
}

#[tokio::test]
async fn the_overview_says_why_each_workflow_does_not_move() {
    let instance = Instance::on_sqlite().await;
    let browser = Browser::signed_in(&instance).await;

    let page = browser.page("/w/default").await;
    assert!(page.contains("Needs attention") && page.contains("nobody knows whether"), "{page}");
    assert!(page.contains("href=\"/w/default/workflows/asks%2Da%2Dperson\""), "{page}");

    let waiting = browser.page("/w/default/waiting").await;
    let output = instance.doubt_of("asks-a-person").await;
    assert!(waiting.contains(&format!("/w/default/outputs/{output}")), "{waiting}");
}

#[tokio::test]
async fn a_doubt_is_answered_with_a_form() {
    let instance = Instance::on_sqlite().await;
    let browser = Browser::signed_in(&instance).await;
    let output = instance.doubt_of("asks-a-person").await;
    let path = format!("/w/default/outputs/{output}");
    let page = browser.page(&path).await;
    for answer in ["It happened", "It did not happen", "Leave it"] {
        assert!(page.contains(answer), "{answer}: {page}");
    }

    let stale = browser.post(&path, "answer=skip&seen=in_flight").await;
    assert_eq!(stale.status, StatusCode::CONFLICT, "{stale:?}");
    let broken = browser.post(&path, "answer=happened&seen=indeterminate&result=%7B").await;
    assert_eq!(broken.status, StatusCode::UNPROCESSABLE_ENTITY, "{broken:?}");
    assert!(broken.text.contains("the result is no JSON"), "{broken:?}");

    let settled = browser.post(&path, "answer=skip&seen=indeterminate&reason=seen+to").await;
    assert_eq!(settled.header(header::LOCATION), path, "{settled:?}");
    let page = browser.page(&path).await;
    assert!(!page.contains("Did it happen?"), "{page}");
    let again = browser.post(&path, "answer=skip&seen=indeterminate").await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{again:?}");
}

#[tokio::test]
async fn a_button_pauses_a_workflow_and_another_resumes_it() {
    let instance = Instance::on_sqlite().await;
    let browser = Browser::signed_in(&instance).await;
    let path = "/w/default/workflows/receipts";

    let paused = browser.post(&format!("{path}/do/pause"), "").await;
    assert_eq!(paused.status, StatusCode::SEE_OTHER, "{paused:?}");
    assert!(browser.page(path).await.contains("it is paused"));
    let refused = browser.post(&format!("{path}/do/unarchive"), "").await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{refused:?}");
    browser.post(&format!("{path}/do/resume"), "").await;
    assert!(!browser.page(path).await.contains("it is paused"));
    assert_eq!(browser.post(&format!("{path}/do/explode"), "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_came_from_outside_is_shown_and_not_obeyed() {
    let instance = Instance::on_sqlite().await;
    let browser = Browser::signed_in(&instance).await;
    let name = "%3Cscript%3Ealert(1)%3C%2Fscript%3E";

    let answer = browser.get(&format!("/w/default/workflows/{name}")).await;

    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(!answer.text.contains("<script>"), "{answer:?}");
    assert!(answer.text.contains("&lt;script&gt;"), "{answer:?}");
}
