//! The sending of notifications through channels: who tries when, and how it ended.

use std::time::Duration;

use diesel::dsl::{exists, not};
use diesel::prelude::*;
use windlass_core::{NotificationId, WorkspaceId};

use super::dialect::RunQueryDsl;
use super::{Operation, Tx};
use crate::convert::to_u32;
use crate::error::Result;
use crate::model::DueDelivery;
use crate::params::{ClaimDeliveries, RecordDelivery};
use crate::rows::{At, Db, DeliveryRow, NotificationRow, storable};
use crate::schema::{deliveries, notifications, workflows};

/// A notification that is older was of use before anybody configured a channel.
const FRESH: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl Operation for ClaimDeliveries {
    type Output = Vec<DueDelivery>;

    async fn run(self, tx: &Tx<'_>) -> Result<Vec<DueDelivery>> {
        enter_new(tx, &self).await?;
        let mut taken = Vec::new();
        for row in due(tx, &self).await? {
            let attempt = row.attempts.saturating_add(1);
            let pause = self.retry.delay(to_u32(attempt));
            let next = pause.map(|pause| At(tx.now.after(pause)));
            // Another worker may take it at this moment.
            let same = deliveries::notification_id
                .eq(row.notification_id)
                .and(deliveries::channel.eq(&self.channel))
                .and(deliveries::next_attempt_at.eq(row.next_attempt_at));
            let n_taken = diesel::update(deliveries::table.filter(same))
                .set((deliveries::attempts.eq(attempt), deliveries::next_attempt_at.eq(next)))
                .execute(tx.conn)
                .await?;
            if n_taken > 0 {
                taken.push((row.notification_id, to_u32(attempt)));
            }
        }
        with_notifications(tx, taken).await
    }
}

/// Enters a delivery for each notification that is open, recent, and has none in this channel.
async fn enter_new(tx: &Tx<'_>, wanted: &ClaimDeliveries) -> Result<()> {
    let entered = deliveries::table
        .filter(deliveries::notification_id.eq(notifications::id))
        .filter(deliveries::channel.eq(&wanted.channel));
    let fresh = notifications::table
        .filter(notifications::created_at.gt(At(tx.now.before(FRESH))))
        .filter(notifications::resolved_at.is_null())
        .filter(not(exists(entered)))
        .select((notifications::id, notifications::workspace_id))
        .order((notifications::created_at, notifications::id))
        .limit(i64::from(wanted.limit));
    let fresh: Vec<(Db<NotificationId>, Db<WorkspaceId>)> = fresh.load(tx.conn).await?;
    for (notification_id, workspace_id) in fresh {
        let row = DeliveryRow {
            notification_id,
            channel: wanted.channel.clone(),
            workspace_id,
            attempts: 0,
            next_attempt_at: Some(At(tx.now.after(wanted.group))),
            error: None,
            created_at: At(tx.now),
            sent_at: None,
        };
        diesel::insert_into(deliveries::table)
            .values(&row)
            .on_conflict_do_nothing()
            .execute(tx.conn)
            .await?;
    }
    Ok(())
}

/// What is due. If anything is, so is every new one: they are sent together.
async fn due(tx: &Tx<'_>, wanted: &ClaimDeliveries) -> Result<Vec<DeliveryRow>> {
    let pending = DeliveryRow::query()
        .filter(deliveries::channel.eq(&wanted.channel))
        .filter(deliveries::next_attempt_at.is_not_null())
        .order((deliveries::next_attempt_at, deliveries::notification_id))
        .limit(i64::from(wanted.limit));
    let mut pending: Vec<DeliveryRow> = pending.load(tx.conn).await?;
    let is_due = |row: &DeliveryRow| row.next_attempt_at.is_some_and(|At(at)| at <= tx.now);
    let is_any_due = pending.iter().any(is_due);
    pending.retain(|row| is_due(row) || (is_any_due && row.attempts == 0));
    Ok(pending)
}

async fn with_notifications(
    tx: &Tx<'_>,
    taken: Vec<(Db<NotificationId>, u32)>,
) -> Result<Vec<DueDelivery>> {
    let mut due = Vec::new();
    for (id, attempt) in taken {
        let found = notifications::table
            .inner_join(workflows::table)
            .filter(notifications::id.eq(id))
            .select((NotificationRow::as_select(), workflows::name));
        let (row, workflow): (NotificationRow, String) = found.first(tx.conn).await?;
        due.push(DueDelivery { notification: row.into_notification(workflow), attempt });
    }
    Ok(due)
}

impl Operation for RecordDelivery {
    type Output = ();

    async fn run(self, tx: &Tx<'_>) -> Result<()> {
        let delivery = deliveries::notification_id
            .eq(Db(self.notification))
            .and(deliveries::channel.eq(&self.channel))
            .and(deliveries::sent_at.is_null());
        let delivery = deliveries::table.filter(delivery);
        match self.error {
            Some(error) => {
                let error = Some(storable(error));
                diesel::update(delivery).set(deliveries::error.eq(error)).execute(tx.conn).await?;
            }
            None => {
                let sent = (
                    deliveries::sent_at.eq(Some(At(tx.now))),
                    deliveries::next_attempt_at.eq(None::<At>),
                    deliveries::error.eq(None::<String>),
                );
                diesel::update(delivery).set(sent).execute(tx.conn).await?;
            }
        }
        Ok(())
    }
}
