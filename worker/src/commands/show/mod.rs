//! `show`: everything about one thing, whatever its id stands for.

mod ledger;
mod run;
mod script;
mod session;

use clap::Args;
use serde::Serialize;
use windlass_store::{AnyId, Notification};

use super::status::{self, WorkflowPage};
use super::{Context, notifications};
use crate::exit::{Ending, Result};
use crate::output::{Answer, Page};

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The id of a workflow, script version, event, input, run, output, session or notification
    id: String,
}

/// What an id stands for, with everything around it.
#[derive(Debug, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
enum Shown {
    Workflow { workflow: Box<WorkflowPage> },
    Script(Box<script::ScriptPage>),
    Event(Box<ledger::EventPage>),
    Input(Box<ledger::InputPage>),
    Run(Box<run::RunPage>),
    Output(Box<ledger::OutputPage>),
    Session(Box<session::SessionPage>),
    Notification { notification: Box<Notification> },
}

pub(crate) async fn run(context: &Context, args: &ShowArgs) -> Result<Ending> {
    let opened = context.open_existing().await?;
    let store = &opened.store;
    let shown = match store.resolve_id(opened.workspace, &args.id).await? {
        AnyId::Workflow(id) => {
            Shown::Workflow { workflow: Box::new(status::load(context, &opened, id).await?) }
        }
        AnyId::Script(id) => Shown::Script(Box::new(script::load(&opened, id).await?)),
        AnyId::Event(id) => Shown::Event(Box::new(ledger::load_event(&opened, id).await?)),
        AnyId::Input(id) => Shown::Input(Box::new(ledger::load_input(&opened, id).await?)),
        AnyId::Run(id) => Shown::Run(Box::new(run::load(&opened, id).await?)),
        AnyId::Mutation(id) => Shown::Output(Box::new(ledger::load_output(&opened, id).await?)),
        AnyId::Session(id) => Shown::Session(Box::new(session::load(&opened, id).await?)),
        AnyId::Notification(id) => {
            let all = store.notifications(opened.workspace).await?;
            let found = all.into_iter().find(|notification| notification.id == id);
            let missing = || windlass_store::StoreError::not_found("notification", &id);
            Shown::Notification { notification: Box::new(found.ok_or_else(missing)?) }
        }
    };
    context.output.answer(&shown)?;
    Ok(Ending::Done)
}

impl Answer for Shown {
    fn write(&self, page: &mut Page) {
        match self {
            Self::Workflow { workflow } => workflow.write(page),
            Self::Script(script) => script.write(page),
            Self::Event(event) => event.write(page),
            Self::Input(input) => input.write(page),
            Self::Run(run) => run.write(page),
            Self::Output(output) => output.write(page),
            Self::Session(session) => session.write(page),
            Self::Notification { notification } => notifications::write_one(page, notification),
        }
    }
}
