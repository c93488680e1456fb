//! Advice as the command line words it: a workflow's health with the commands to type, and the commands that can follow.

use serde::Serialize;
use windlass_api::service::{Advice, Badge, Fact, NextStep, WorkflowHealth};

use crate::hint::CommandHint;
use crate::output::TextPage;

/// A workflow's health, worded for the command line.
#[derive(Debug, Serialize)]
pub(crate) struct HealthText {
    pub(crate) badge: Badge,
    pub(crate) why: String,
    facts: Vec<FactText>,
    to_do: Vec<AdviceText>,
    /// Whether nothing continues before a person has acted.
    #[serde(skip)]
    pub(crate) waits_for_person: bool,
}

#[derive(Debug, Serialize)]
struct FactText {
    label: &'static str,
    text: String,
}

#[derive(Debug, Serialize)]
struct AdviceText {
    /// The exact command, where one does it.
    command: Option<String>,
    /// What to do, or what the command will do.
    effect: String,
}

impl HealthText {
    pub(crate) fn new(health: WorkflowHealth, hint: &CommandHint) -> Self {
        let waits_for_person = health.waits_for_person();
        let WorkflowHealth { badge, why, facts, advice } = health;
        Self {
            badge,
            why,
            facts: facts.into_iter().map(|fact| FactText::new(fact, hint)).collect(),
            to_do: advice.into_iter().map(|advice| AdviceText::new(advice, hint)).collect(),
            waits_for_person,
        }
    }

    /// Writes the health for a person.
    pub(crate) fn write(&self, page: &mut TextPage) {
        page.line(format_args!("  {}", self.why));
        for fact in &self.facts {
            page.field(fact.label, &fact.text);
        }
        if self.to_do.is_empty() {
            return;
        }
        page.heading("  What to do");
        for advice in &self.to_do {
            match &advice.command {
                Some(command) => {
                    page.line(format_args!("    {command}"));
                    page.line(format_args!("        {}", advice.effect));
                }
                None => page.line(format_args!("    {}", advice.effect)),
            }
        }
    }
}

/// A command that can follow, and what it does.
#[derive(Debug, Serialize)]
pub(crate) struct NextCommand {
    pub(crate) command: String,
    pub(crate) effect: &'static str,
}

impl NextCommand {
    pub(crate) fn write(&self, page: &mut TextPage) {
        page.line(format_args!("  {}", self.command));
        page.line(format_args!("      {}", self.effect));
    }
}

impl FactText {
    fn new(fact: Fact, hint: &CommandHint) -> Self {
        let Fact { label, mut text, listed_by } = fact;
        if let Some(step) = listed_by {
            text.push_str(&format!("; `{}` lists them", hint.step(&step)));
        }
        Self { label, text }
    }
}

impl AdviceText {
    fn new(advice: Advice, hint: &CommandHint) -> Self {
        let Advice { step, mut effect } = advice;
        effect.push_str(step.as_ref().map_or("", other_options));
        Self { command: step.map(|step| hint.step(&step)), effect }
    }
}

/// What else the command of a step can do.
const fn other_options(step: &NextStep) -> &'static str {
    match step {
        NextStep::Limit { .. } => "; `--at-once N`, `--rate N/TIME` or `--none` change it",
        NextStep::Resolve { resolution: None, .. } => "; `resolve --help` lists the other answers",
        NextStep::Deploy { .. }
        | NextStep::DeployFix { .. }
        | NextStep::Activate { .. }
        | NextStep::Resume { .. }
        | NextStep::Unarchive { .. }
        | NextStep::RunOnce { .. }
        | NextStep::ShowStatus { .. }
        | NextStep::ShowPlan { .. }
        | NextStep::StartWorker { .. }
        | NextStep::ListEvents { .. }
        | NextStep::SkipTopic { .. }
        | NextStep::Resolve { .. } => "",
    }
}

#[cfg(test)]
mod tests;
