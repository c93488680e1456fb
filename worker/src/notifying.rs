//! Sends notifications to people outside, through the channels of `[notify]`.

use std::convert::Infallible;
use std::time::Duration;

use windlass_core::{Backoff, Clock as _, SystemClock, Text as _};
use windlass_store::{
    ClaimDeliveries, DueDelivery, Notification, RecordDelivery, Result, SharedStore,
};
use windlass_tools::channels::{Channels, Message, MessageItem};

use crate::context::{Context, environment};

/// How often a worker looks for notifications that are to be sent.
const LOOK_INTERVAL: Duration = Duration::from_secs(15);

/// The pauses after failed attempts: a minute, doubled each time up to an hour; then it is given up.
const RETRY: Backoff = Backoff { base_ms: 60_000, cap_ms: 3_600_000, tries: 12, jitter_percent: 0 };

/// How many notifications one message may be about.
const MAX_TOGETHER: u32 = 50;

/// The channels of the configuration.
pub(crate) fn channels(context: &Context) -> Channels {
    let settings = &context.settings;
    Channels::new(&settings.notify, &context.secrets, settings.root.clone(), environment)
}

/// Sends notifications as long as the process works.
pub(crate) async fn keep_sending(context: &Context, store: SharedStore) -> Infallible {
    let channels = channels(context);
    if channels.names().is_empty() {
        return std::future::pending().await;
    }
    loop {
        if let Err(error) =
            send_due(context, &channels, &store, context.settings.notify.group).await
        {
            tracing::warn!(%error, "notifications could not be sent");
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// Sends what is due, unless it is a time at which nothing is sent. A new notification waits for others as long as `group` says.
///
/// # Errors
/// Those of the store. What a channel refuses is recorded and tried again later.
pub(crate) async fn send_due(
    context: &Context,
    channels: &Channels,
    store: &SharedStore,
    group: Duration,
) -> Result<()> {
    let quiet = context.settings.notify.quiet;
    let time = SystemClock.now().to_utc().with_timezone(&context.settings.timezone).time();
    if quiet.is_some_and(|quiet| quiet.covers(time)) {
        return Ok(());
    }
    for channel in channels.names() {
        let claim = ClaimDeliveries {
            channel: channel.to_owned(),
            group,
            retry: RETRY,
            limit: MAX_TOGETHER,
        };
        let due = store.claim_deliveries(claim).await?;
        let Some(message) = message_about(&due) else { continue };
        let error = channels.send(channel, &message).await.err().map(|error| error.to_string());
        if let Some(error) = &error {
            tracing::warn!("a notification was not delivered by {channel}, trying again: {error}");
        }
        for due in due {
            let (notification, channel) = (due.notification.id, channel.to_owned());
            let error = error.clone();
            store.record_delivery(RecordDelivery { notification, channel, error }).await?;
        }
    }
    Ok(())
}

/// One message about all of them; none where there are none.
fn message_about(due: &[DueDelivery]) -> Option<Message> {
    let notifications: Vec<_> = due.iter().map(|due| item(&due.notification)).collect();
    let first = notifications.first()?;
    let title = match notifications.as_slice() {
        [one] => format!("Windlass: {}", one.title),
        several => format!("Windlass: {} notifications, the first: {}", several.len(), first.title),
    };
    let text = notifications
        .iter()
        .map(|it| format!("{}\n{}\nworkflow {}, {}\n", it.title, it.text, it.workflow, it.at));
    Some(Message {
        key: format!("{}.{}", first.id, notifications.len()),
        title,
        text: text.collect::<Vec<_>>().join("\n"),
        notifications,
    })
}

fn item(notification: &Notification) -> MessageItem {
    MessageItem {
        id: notification.id.to_string(),
        kind: notification.kind.to_text(),
        workflow: notification.workflow.clone(),
        title: notification.title.clone(),
        text: notification.body.clone(),
        at: notification.created_at.to_string(),
    }
}
