//! `event`: a person skips events, puts parked ones back into their queue, or replays consumed ones.

use serde::Serialize;
use windlass_api::service::{EventTarget, Replay, Service, SettleReport, mutation_title};
use windlass_store::{EventAction, EventSelection};

use super::granting::{confirm, has_person};
use crate::cli::EventArgs;
use crate::context::Context;
use crate::exit::{CommandError, ExitStatus, Result};
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
struct SettleOutput {
    #[serde(flatten)]
    report: SettleReport,
    /// What the events are now.
    #[serde(skip)]
    now: &'static str,
    /// Why some of a selection were left.
    #[serde(skip)]
    why_left: &'static str,
}

pub(crate) async fn run(context: &Context, args: &EventArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let output = match &args.reason {
        Some(reason) if args.action.replay => {
            let replay = service.replay_of(&args.ids).await?;
            require_known(context, &replay, args.repeat_effects)?;
            let report = service.replay(&replay, reason).await?;
            let why_left = "they are not consumed";
            SettleOutput { report, now: "pending once more", why_left }
        }
        reason => {
            let targets = targets(&service, args).await?;
            let (action, now) = match args.action.skip {
                true => (EventAction::Skip, "skipped"),
                false => (EventAction::PutBack, "pending again"),
            };
            let report = service.settle_events(&targets, action, reason.as_deref()).await?;
            let why_left = "their run has come to its effect";
            SettleOutput { report, now, why_left }
        }
    };
    let is_done = output.report.refused.is_empty();
    context.output.print(&output)?;
    Ok(if is_done { ExitStatus::Done } else { ExitStatus::Failed })
}

/// Tells what a replay may do again. Unless `is_confirmed`, the person at the terminal is asked; without a terminal it is refused.
fn require_known(context: &Context, replay: &Replay, is_confirmed: bool) -> Result<()> {
    let effects: Vec<_> = replay
        .effects
        .iter()
        .map(|mutation| format!("{} ({})", mutation_title(mutation), mutation.id))
        .collect();
    if effects.is_empty() {
        return Ok(());
    }
    let made = format!("{} effect(s) were made for these events", effects.len());
    if is_confirmed || has_person(context) {
        context.output.progress(format_args!("{made}, and may be made again:"));
        effects.iter().for_each(|effect| context.output.progress(format_args!("  {effect}")));
    }
    if is_confirmed || (has_person(context) && confirm(context, "Replay the events?")?) {
        return Ok(());
    }
    Err(CommandError::Refused {
        code: "effects_repeated",
        message: format!("nothing was changed: {made}: {}", effects.join(", ")),
        hint: "look at them with `show`; if they may be made again, say `--repeat-effects`"
            .to_owned(),
    })
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
        page.line(format_args!("{settled} event(s): {}.", self.now));
        if *left > 0 {
            page.line(format_args!("{left} event(s): left, because {}.", self.why_left));
        }
        for why in refused {
            page.line(format_args!("left: {why}"));
        }
    }
}
