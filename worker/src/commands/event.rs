//! `event`: a person puts a parked event back into its queue, or skips it.

use serde::Serialize;
use windlass_core::EventStatus;
use windlass_store::{Event, EventAction};

use crate::cli::EventArgs;
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct SettledEvent(Event);

pub(crate) async fn run(context: &Context, args: &EventArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let event = service.find_event(&args.event).await?;
    let action = if args.action.skip { EventAction::Skip } else { EventAction::PutBack };
    let event = service.settle_event(event, action, args.reason.clone()).await?;
    context.output.print(&SettledEvent(event))?;
    Ok(ExitStatus::Done)
}

impl Printable for SettledEvent {
    fn write(&self, page: &mut TextPage) {
        let message = &self.0.message_id;
        if self.0.status == EventStatus::Skipped {
            page.line(format_args!("`{message}` is skipped."));
        } else {
            page.line(format_args!("`{message}` is pending again."));
        }
    }
}
