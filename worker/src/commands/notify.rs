//! `notify`: what became of notifications that are sent outside, and a test of the channels.

use serde::Serialize;
use windlass_core::{Clock as _, Id as _, NotificationId, SystemClock};
use windlass_store::Delivery;
use windlass_tools::channels::{Channels, Message};

use crate::cli::NotifyArgs;
use crate::context::Context;
use crate::exit::{CommandError, ExitStatus, Result};
use crate::output::{Printable, TextPage};
use crate::{notifying, trust};

/// How many deliveries are listed.
const LISTED: u32 = 100;

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Deliveries(Vec<Delivery>);

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Tests(Vec<ChannelTest>);

#[derive(Debug, Serialize)]
struct ChannelTest {
    channel: &'static str,
    /// Why the test message was not delivered.
    error: Option<String>,
}

pub(crate) async fn run(context: &Context, args: &NotifyArgs) -> Result<ExitStatus> {
    if args.test {
        return test(context).await;
    }
    let service = context.open_existing().await?;
    let deliveries = service.store.deliveries(service.workspace, LISTED).await?;
    context.output.print(&Deliveries(deliveries))?;
    Ok(ExitStatus::Done)
}

async fn test(context: &Context) -> Result<ExitStatus> {
    trust::require(context)?;
    let channels = notifying::channels(context);
    if channels.names().is_empty() {
        return Err(CommandError::Usage {
            message: "the configuration names nowhere to send notifications to".to_owned(),
            hint: Some("add `[notify.mail]`, `[notify.http]` or `[notify.command]`".to_owned()),
        });
    }
    let tests = try_all(&channels).await;
    let all_work = tests.iter().all(|test| test.error.is_none());
    context.output.print(&Tests(tests))?;
    Ok(if all_work { ExitStatus::Done } else { ExitStatus::Failed })
}

async fn try_all(channels: &Channels) -> Vec<ChannelTest> {
    let message = Message {
        key: NotificationId::mint(SystemClock.now()).to_string(),
        title: "Windlass: a test".to_owned(),
        text: "This is a test. Notifications reach you here.\n".to_owned(),
        notifications: Vec::new(),
    };
    let mut tests = Vec::new();
    for channel in channels.names() {
        let error = channels.send(channel, &message).await.err().map(|error| error.to_string());
        tests.push(ChannelTest { channel, error });
    }
    tests
}

impl Printable for Tests {
    fn write(&self, page: &mut TextPage) {
        for ChannelTest { channel, error } in &self.0 {
            match error {
                None => page.line(format_args!("✓ {channel}: the test message was delivered")),
                Some(error) => page.line(format_args!("✗ {channel}: {error}")),
            }
        }
    }
}

impl Printable for Deliveries {
    fn write(&self, page: &mut TextPage) {
        if self.0.is_empty() {
            return page.line("Nothing was sent yet.");
        }
        let times = page.times();
        let row = |delivery: &Delivery| {
            let state = match (delivery.sent_at, delivery.next_attempt_at) {
                (Some(at), _) => format!("sent {}", times.time(at)),
                (None, Some(at)) => format!("next {}", times.time(at)),
                (None, None) => "given up".to_owned(),
            };
            [
                delivery.channel.clone(),
                state,
                delivery.attempts.to_string(),
                delivery.title.clone(),
                delivery.error.clone().unwrap_or_default(),
                delivery.notification_id.to_string(),
            ]
        };
        let header = ["CHANNEL", "STATE", "ATTEMPTS", "TITLE", "ERROR", "ID"];
        page.table(header, self.0.iter().map(row).collect());
    }
}
