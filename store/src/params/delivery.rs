//! What the sending of notifications is given.

use std::time::Duration;

use windlass_core::{Backoff, NotificationId};

/// Takes the notifications that are to be sent through a channel now. Each of them is taken by one caller; if that one is lost, it is due
/// again after the pause for a failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimDeliveries {
    /// The channel, for example `mail`.
    pub channel: String,
    /// How long a new notification waits for others, with which it is then sent.
    pub group: Duration,
    /// The pauses after failed attempts; after the last one it is given up.
    pub retry: Backoff,
    /// At most so many.
    pub limit: u32,
}

/// Records how an attempt to send a notification ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordDelivery {
    /// The notification.
    pub notification: NotificationId,
    /// The channel.
    pub channel: String,
    /// Why it failed; none if the notification was sent.
    pub error: Option<String>,
}
