//! How lists are read: a page at a time.

use windlass_core::{
    ApprovalId, CredentialId, EventId, InputId, JournalId, MutationId, NotificationId, RunId,
    SessionId, Timestamp,
};

/// Which part of a list to read. Every page is read through an index, however long the list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page<C> {
    /// How many items at the most; none where it is 0.
    pub limit: u32,
    /// Begins after this place of the list; with `None` at the list's beginning.
    pub after: Option<C>,
}

impl<C> Page<C> {
    /// The first `limit` items of a list.
    #[must_use]
    pub const fn first(limit: u32) -> Self {
        Self { limit, after: None }
    }
}

/// In which order a list is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListOrder {
    /// From the oldest item on.
    OldestFirst,
    /// From the newest item on.
    NewestFirst,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T, C> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Where the next page begins, as its [`Page::after`]; `None` where the list ends here.
    pub next: Option<C>,
}

impl<T, C> Default for Listed<T, C> {
    fn default() -> Self {
        Self { items: Vec::new(), next: None }
    }
}

/// A position in a list that is ordered by time, and by id within the same time.
///
/// It stays valid when items are inserted or removed. It does not name its list: the position of an item of another workspace only
/// says where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position<I> {
    /// When the item was made.
    pub at: Timestamp,
    /// Its id.
    pub id: I,
}

/// A place among events.
pub type EventCursor = Position<EventId>;
/// A place among inputs.
pub type InputCursor = Position<InputId>;
/// A place among approvals.
pub type ApprovalCursor = Position<ApprovalId>;
/// A place among credentials.
pub type CredentialCursor = Position<CredentialId>;
/// A place in a journal.
pub type JournalCursor = Position<JournalId>;
/// A place among mutations.
pub type MutationCursor = Position<MutationId>;
/// A place among notifications.
pub type NotificationCursor = Position<NotificationId>;
/// A place among runs.
pub type RunCursor = Position<RunId>;
/// A place among sessions.
pub type SessionCursor = Position<SessionId>;

/// A place among the versions of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionCursor {
    /// The version's first number.
    pub major: u32,
    /// The version's second number.
    pub minor: u32,
}

impl<C: Clone> Page<C> {
    /// How many rows to ask for: one more than fits tells whether the list goes on.
    pub(crate) fn n_rows(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// The page of these rows, whose places `place` tells.
    pub(crate) fn of<R, T>(
        &self,
        mut rows: Vec<R>,
        place: impl Fn(&R) -> C,
        item: impl FnMut(R) -> T,
    ) -> Listed<T, C> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let goes_on = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().map(place).or_else(|| self.after.clone()).filter(|_| goes_on);
        Listed { items: rows.into_iter().map(item).collect(), next }
    }
}
