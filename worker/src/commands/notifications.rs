//! `notifications`: what a person should know.

use serde::Serialize;
use windlass_api::service::NextStep;
use windlass_store::{Notification, NotificationKind};

use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Notifications(Vec<WordedNotification>);

#[derive(Debug, Serialize)]
struct WordedNotification {
    #[serde(flatten)]
    notification: Notification,
    /// The command that helps, where one does.
    command: Option<String>,
}

pub(crate) async fn run(context: &Context) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let worded = |notification: Notification| WordedNotification {
        command: NextStep::after(&notification).map(|step| context.hint.step(&step)),
        notification,
    };
    let notifications = service.notifications().await?.into_iter().map(worded).collect();
    context.output.print(&Notifications(notifications))?;
    Ok(ExitStatus::Done)
}

impl Printable for Notifications {
    fn write(&self, page: &mut TextPage) {
        if self.0.is_empty() {
            return page.line("There are no notifications.");
        }
        for WordedNotification { notification, command } in &self.0 {
            write_one(page, notification);
            page.field_if("what to do", command.as_ref());
        }
    }
}

/// Writes one notification.
pub(crate) fn write_one(page: &mut TextPage, notification: &Notification) {
    let settled = if notification.resolved_at.is_some() { ", settled" } else { "" };
    page.heading(format_args!(
        "{} [{}{settled}]",
        notification.title,
        kind_word(notification.kind)
    ));
    if !notification.body.is_empty() {
        page.line_with_text("  ", &notification.body, 2);
    }
    page.field("workflow", &notification.workflow);
    page.field_if("run", notification.run_id);
    page.field_if("output", notification.mutation_id);
    page.moment("since", Some(notification.created_at));
    page.field("id", notification.id);
}

const fn kind_word(kind: NotificationKind) -> &'static str {
    match kind {
        NotificationKind::Error => "needs attention",
        NotificationKind::ScriptFailed => "script failed",
        NotificationKind::MutationInDoubt => "in doubt",
        NotificationKind::EventParked => "parked",
        NotificationKind::EffectContradicted => "contradiction",
        NotificationKind::ScriptMessage => "message",
        NotificationKind::ApprovalRequested => "question",
        NotificationKind::RunCompleted => "plan done",
        NotificationKind::RunFailed => "plan failed",
    }
}
