//! What is shown where a page cannot be, or where what was asked for was not done.

use axum::response::{IntoResponse, Response};
use maud::html;

use super::frame::bare;
use crate::http::Problem;

/// Why there is no page.
#[derive(Debug)]
pub(super) struct Refused(Problem);

impl<P: Into<Problem>> From<P> for Refused {
    fn from(problem: P) -> Self {
        Self(problem.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        let title = if problem.is_unauthorized() { "Sign in" } else { problem.title() };
        let page = bare(
            title,
            &html! {
                h1 { (title) }
                @if problem.is_unauthorized() {
                    p { "This page is for people who have signed in. On the machine where Windlass runs, the command " code { "login" }
                        " of the program prints a link that signs you in." }
                } @else {
                    p { (problem.detail()) }
                    @if let Some(hint) = problem.what_to_do() { p.muted { (hint) } }
                    p { a href="/" { "Back to the overview" } }
                }
            },
        );
        (problem.status(), page).into_response()
    }
}
