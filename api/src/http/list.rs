//! Lists a page at a time: `?limit=…&after=…`, and where the next page begins.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use windlass_core::{Id, Timestamp};
use windlass_store::{ListOrder, Listed, Page, Position};

use super::problem::Problem;

/// How many items a page has where nobody says.
const USUAL: u32 = 50;
/// How many it has at the most.
const MOST: u32 = 200;

/// Which page of a list is wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// How many items at the most: 1 to 200, and 50 where it is not given.
    limit: Option<u32>,
    /// Begins after this place of the list: the `next` of the page before.
    after: Option<String>,
}

/// Which end of a list comes first.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum First {
    /// The newest item.
    #[default]
    Newest,
    /// The oldest item.
    Oldest,
}

/// In which order a list is wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct OrderQuery {
    /// Which item comes first: `newest`, as where it is not given, or `oldest`.
    #[serde(default)]
    #[param(inline)]
    first: First,
}

impl From<OrderQuery> for ListOrder {
    fn from(query: OrderQuery) -> Self {
        match query.first {
            First::Newest => Self::NewestFirst,
            First::Oldest => Self::OldestFirst,
        }
    }
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct List<T> {
    /// The items, in the list's order.
    items: Vec<T>,
    /// Where the next page begins, as its `after`; null where the list ends here.
    next: Option<String>,
}

/// A place in a list, written as a text that means nothing to its reader.
pub(super) trait Cursor: Sized {
    /// Writes it.
    fn write(&self) -> String;
    /// Reads what was written.
    fn read(text: &str) -> Option<Self>;
}

impl Cursor for String {
    fn write(&self) -> String {
        self.clone()
    }

    fn read(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl Cursor for u32 {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl<I: Id> Cursor for Position<I> {
    fn write(&self) -> String {
        format!("{}.{}", self.at.as_micros(), self.id.to_text())
    }

    fn read(text: &str) -> Option<Self> {
        let (at, id) = text.split_once('.')?;
        let at = Timestamp::from_micros(at.parse().ok()?);
        Some(Self { at, id: I::parse_text(id).ok()? })
    }
}

impl PageQuery {
    /// The page, where the list's places are `C`.
    pub(super) fn page<C: Cursor>(&self) -> Result<Page<C>, Problem> {
        let limit = self.limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            let detail = format!("`limit` is {limit}, and a page has 1 to {MOST} items");
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_limit", detail));
        }
        let after = self.after.as_deref().map(read_cursor).transpose()?;
        Ok(Page { limit, after })
    }
}

impl<T> List<T> {
    /// The page that the store has read.
    pub(super) fn of<R: Into<T>, C: Cursor>(page: Listed<R, C>) -> Self {
        let next = page.next.map(|place| BASE64_URL_SAFE_NO_PAD.encode(place.write()));
        Self { items: page.items.into_iter().map(Into::into).collect(), next }
    }
}

fn read_cursor<C: Cursor>(text: &str) -> Result<C, Problem> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    let place = bytes.and_then(|bytes| C::read(std::str::from_utf8(&bytes).ok()?));
    place.ok_or_else(|| {
        Problem::bad_request("`after` is no place of this list")
            .hint("take `next` of the page before, unchanged")
    })
}

#[cfg(test)]
mod tests {
    use windlass_core::{Clock as _, MutationId, SystemClock};

    use super::*;

    #[test]
    fn a_cursor_reads_back_and_a_foreign_one_is_refused() {
        let at = SystemClock.now();
        let place = Position { at, id: MutationId::mint(at) };
        let listed = Listed { items: Vec::<String>::new(), next: Some(place) };
        let next = List::<String>::of(listed).next;

        let query = PageQuery { limit: None, after: next };
        assert_eq!(query.page().unwrap(), Page { limit: USUAL, after: Some(place) });
        assert!(query.page::<Position<windlass_core::RunId>>().is_err());
    }

    #[test]
    fn a_page_is_neither_empty_nor_endless() {
        for limit in [0, MOST + 1] {
            let query = PageQuery { limit: Some(limit), after: None };
            assert!(query.page::<String>().is_err());
        }
    }
}
