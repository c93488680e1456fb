//! Old notifications.

use std::collections::HashSet;

use diesel::prelude::*;
use windlass_core::{MutationId, NotificationId};

use super::super::dialect::RunQueryDsl;
use super::super::{BATCH, Tx};
use super::{Mode, Step, cursor_after, old_records};
use crate::error::Result;
use crate::literals::IsUnsettled;
use crate::model::NotificationKind;
use crate::params::PruneStep;
use crate::rows::{At, Db};
use crate::schema::{mutations, notifications};

/// Id, time, kind, time of resolution, and mutation of a notification.
type OldNotification =
    (Db<NotificationId>, At, Db<NotificationKind>, Option<At>, Option<Db<MutationId>>);

/// Prunes messages of scripts, and other notifications that were resolved long ago.
pub(super) async fn notifications(tx: &Tx<'_>, step: &Step<'_>) -> Result<PruneStep> {
    let found: Vec<OldNotification> = old_records!(tx, step, notifications.created_at where notifications::id.is_not_null(),
                                           notifications::kind, notifications::resolved_at, notifications::mutation_id);
    let senders: Vec<_> = found.iter().filter_map(|(.., mutation)| *mutation).collect();
    let mut unsettled = HashSet::new();
    for batch in senders.chunks(BATCH) {
        let open = mutations::table
            .filter(mutations::id.eq_any(batch))
            .filter(IsUnsettled)
            .select(mutations::id);
        let open: Vec<Db<MutationId>> = open.load(tx.conn).await?;
        unsettled.extend(open);
    }
    let over = found.iter().filter(|(_, _, Db(kind), resolved_at, mutation)| {
        let is_over = *kind == NotificationKind::ScriptMessage
            || resolved_at.is_some_and(|resolved_at| resolved_at <= step.cutoff);
        is_over && !mutation.is_some_and(|mutation| unsettled.contains(&mutation))
    });
    let ids: Vec<_> = over.map(|(id, ..)| *id).collect();
    if step.mode == Mode::Remove {
        for batch in ids.chunks(BATCH) {
            let removed = notifications::table.filter(notifications::id.eq_any(batch));
            diesel::delete(removed).execute(tx.conn).await?;
        }
    }
    let last = found.last().and_then(|(id, at, ..)| cursor_after(id, Some(*at)));
    Ok(step.pruned(ids.len(), found.len(), last))
}
