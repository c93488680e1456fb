//! The question that an effect in doubt is: what was attempted, why nobody knows, where to look, and what each answer does.

use windlass_core::{MutationStatus, WorkflowStatus};

use super::{Advice, Badge, Doubt, Look, Standing, effect_title};
use crate::output::crop;

impl Look<'_> {
    /// An effect that its tool looks up by itself.
    fn looking_up(&self) -> Option<Standing> {
        let doubt = self.doubts.first()?;
        let mutation = &doubt.mutation;
        let next = mutation.next_reconcile_at?;
        let why = format!(
            "it is not known yet whether `{}` happened; its tool looks it up",
            effect_title(mutation)
        );
        let tried = match mutation.reconcile_attempts {
            0 => "not yet".to_owned(),
            n => format!("{n} time(s), without an answer"),
        };
        let standing = Standing::new(Badge::Running, why)
            .fact("output", mutation.id.to_string())
            .fact("tool", format!("{}.{}", mutation.tool_namespace, mutation.tool_method))
            .fact("target", &mutation.target)
            .fact_if("why unknown", mutation.error.clone())
            .fact("looked up", tried)
            .fact("next look", self.when(next));
        let standing = standing
            .advise_command(self.echo.command("up"), "keeps a worker running, which looks it up");
        Some(standing.advise_command(
            self.echo.command(&format!("resolve {} --did-not-happen", mutation.id)),
            "settles it at once, where you know; see `resolve --help` for what else it may have come to",
        ))
    }

    /// Effects of which nobody knows whether they happened.
    pub(super) fn doubt(&self) -> Option<Standing> {
        let asks = |doubt: &&Doubt| doubt.mutation.status != MutationStatus::NeedsReconcile;
        let mut asking = self.doubts.iter().filter(asks);
        let Some(first) = asking.next() else { return self.looking_up() };
        let mut standing = Standing::new(
            Badge::NeedsAttention,
            format!(
                "nobody knows whether `{}` happened; until that is settled nothing else runs",
                effect_title(&first.mutation)
            ),
        );
        for doubt in std::iter::once(first).chain(asking) {
            standing = self.one_doubt(standing, doubt);
        }
        let status = self.overview.workflow.status;
        if status != WorkflowStatus::Active {
            standing = standing.fact(
                "control",
                format!("the workflow is {status} and stays so when this is settled"),
            );
        }
        Some(standing)
    }

    fn one_doubt(&self, standing: Standing, doubt: &Doubt) -> Standing {
        let mutation = &doubt.mutation;
        let causes: Vec<_> =
            doubt.inputs.iter().map(|input| format!("{} ({})", input.title, input.id)).collect();
        let can_look = if mutation.reconcilable {
            "its tool can look it up, but has not found an answer"
        } else {
            "its tool cannot look it up: only you can"
        };
        let id = mutation.id;
        let look_again = mutation.reconcilable.then(|| Advice {
            command: Some(self.echo.command(&format!("resolve {id} --try-again"))),
            effect: "lets its tool look it up again".to_owned(),
        });
        let mut standing = standing
            .fact("output", id.to_string())
            .fact("tool", format!("{}.{}", mutation.tool_namespace, mutation.tool_method))
            .fact("target", &mutation.target)
            .fact("attempted", crop(&mutation.params.to_string(), 400))
            .fact("at", self.when(mutation.created_at))
            .fact_if("because of", (!causes.is_empty()).then(|| causes.join("\n")))
            .fact("why unknown", mutation.error.clone().unwrap_or_else(|| "its worker was lost while the request was under way".to_owned()))
            .fact_if("evidence", mutation.late_evidence.clone())
            .fact("to find out", can_look)
            .advise("look at the target whether it happened, then say so:")
            .advise_command(
                self.echo.command(&format!("resolve {id} --did-not-happen")),
                "its events are pending again and a new run prepares afresh; if it did happen after all, this does it twice",
            )
            .advise_command(
                self.echo.command(&format!("resolve {id} --skip")),
                "leaves it as it is, whatever happened: its events are skipped for good, and `next` runs once",
            )
            .advise_command(
                self.echo.command(&format!("resolve {id} --happened RESULT")),
                "it happened, and RESULT (JSON) is what the tool answered: `next` goes on with it",
            );
        standing.to_do.extend(look_again);
        standing
    }
}
