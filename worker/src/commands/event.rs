//! `event`: a person decides about an event that was taken out of the way.

use clap::Args;
use serde::Serialize;
use windlass_core::EventStatus;
use windlass_store::{AnyId, Event, ParkedEventAction, SettleEvent};

use super::Context;
use crate::exit::{CommandError, Ending, Result};
use crate::output::{Answer, Page};

#[derive(Debug, Args)]
pub(crate) struct EventArgs {
    /// The id of the parked event
    event: String,
    #[command(flatten)]
    fate: FateArgs,
    /// Why, for the journal
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct FateArgs {
    /// It is pending again, as if nothing had gone wrong with it
    #[arg(long)]
    put_back: bool,
    /// It leaves the queue unprocessed, for good
    #[arg(long)]
    skip: bool,
}

#[derive(Debug, Serialize)]
struct Settled {
    #[serde(flatten)]
    event: Event,
}

pub(crate) async fn run(context: &Context, args: &EventArgs) -> Result<Ending> {
    let service = context.open_existing().await?;
    let AnyId::Event(event) = service.store.resolve_id(service.workspace, &args.event).await?
    else {
        return Err(CommandError::Usage {
            message: format!("`{}` is no event", args.event),
            hint: Some("give an id that begins with `evt_`; `windlass status` names it".to_owned()),
        });
    };
    let fate = if args.fate.skip { ParkedEventAction::Skip } else { ParkedEventAction::PutBack };
    let (actor, reason) = (context.actor.clone(), args.reason.clone());
    let event = service
        .store
        .settle_event(SettleEvent { workspace: service.workspace, event, fate, actor, reason })
        .await?;
    context.output.answer(&Settled { event })?;
    Ok(Ending::Done)
}

impl Answer for Settled {
    fn write(&self, page: &mut Page) {
        let message = &self.event.message_id;
        if self.event.status == EventStatus::Skipped {
            page.line(format_args!("`{message}` is skipped."));
        } else {
            page.line(format_args!("`{message}` is pending again."));
        }
    }
}
