//! `event`: a person skips events, or puts parked ones back into their queue.

use serde::Serialize;
use windlass_api::service::{EventTarget, Service, SettleReport};
use windlass_store::{EventAction, EventSelection};

use crate::cli::EventArgs;
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
struct SettleOutput {
    #[serde(flatten)]
    report: SettleReport,
    #[serde(skip)]
    action: EventAction,
}

pub(crate) async fn run(context: &Context, args: &EventArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let targets = targets(&service, args).await?;
    let action = if args.action.skip { EventAction::Skip } else { EventAction::PutBack };
    let report = service.settle_events(&targets, action, args.reason.as_deref()).await?;
    let status = if report.refused.is_empty() { ExitStatus::Done } else { ExitStatus::Failed };
    context.output.print(&SettleOutput { report, action })?;
    Ok(status)
}

/// The events that are named. All ids are looked up before anything is done.
async fn targets(service: &Service, args: &EventArgs) -> Result<Vec<EventTarget>> {
    if let Some(workflow) = &args.workflow {
        return Ok(vec![service.events_of(workflow, args.topic.as_deref()).await?]);
    }
    let mut targets = Vec::new();
    for id in &args.ids {
        targets.push(match service.find_events(id).await? {
            EventTarget::One(event) if args.same_reason => {
                EventTarget::Several(EventSelection::SameReason(event))
            }
            target @ (EventTarget::One(_) | EventTarget::Several(_)) => target,
        });
    }
    Ok(targets)
}

impl Printable for SettleOutput {
    fn write(&self, page: &mut TextPage) {
        let SettleReport { settled, left, refused } = &self.report;
        let now = match self.action {
            EventAction::Skip => "skipped",
            EventAction::PutBack => "pending again",
        };
        page.line(format_args!("{settled} event(s): {now}."));
        if *left > 0 {
            page.line(format_args!(
                "{left} event(s): left, because their run has come to its effect."
            ));
        }
        for why in refused {
            page.line(format_args!("left: {why}"));
        }
    }
}
