//! Parts of requests, refused with a problem where they cannot be read.

use axum::extract::{FromRequest, FromRequestParts};
use windlass_core::Id;
use windlass_store::StoreError;

use super::problem::Problem;

/// The values in the path.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub(super) struct Path<T>(pub(super) T);

/// The values after the question mark.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(super) struct Query<T>(pub(super) T);

/// The body, a JSON document.
#[derive(Debug, FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub(super) struct Body<T>(pub(super) T);

/// A whole id of the path. What is no id belongs to nothing.
pub(crate) fn parse_id<I: Id>(text: &str, what: &'static str) -> Result<I, Problem> {
    I::parse_text(text).map_err(|_no_id| StoreError::not_found(what, text).into())
}
