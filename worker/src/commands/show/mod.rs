//! `show`: everything about one thing, whatever its id stands for.

mod ledger;
mod run;
mod script;
mod session;

use clap::Args;
use serde::Serialize;
use windlass_store::{AnyId, Notification};

use super::status::{self, StatusPage};
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
    Workflow { workflow: Box<StatusPage> },
    Script(Box<script::ScriptPage>),
    Event(Box<ledger::EventPage>),
    Input(Box<ledger::InputPage>),
    Run(Box<run::RunPage>),
    Output(Box<ledger::OutputPage>),
    Session(Box<session::SessionPage>),
    Notification { notification: Box<Notification> },
}

pub(crate) async fn run(context: &Context, args: &ShowArgs) -> Result<Ending> {
    let service = context.open_existing().await?;
    let store = &service.store;
    let shown = match store.resolve_id(service.workspace, &args.id).await? {
        AnyId::Workflow(id) => {
            Shown::Workflow { workflow: Box::new(status::load(context, &service, id).await?) }
        }
        AnyId::Script(id) => Shown::Script(Box::new(script::load(&service, id).await?)),
        AnyId::Event(id) => Shown::Event(Box::new(ledger::load_event(&service, id).await?)),
        AnyId::Input(id) => Shown::Input(Box::new(ledger::load_input(&service, id).await?)),
        AnyId::Run(id) => Shown::Run(Box::new(run::load(&service, id).await?)),
        AnyId::Mutation(id) => Shown::Output(Box::new(ledger::load_output(&service, id).await?)),
        AnyId::Session(id) => Shown::Session(Box::new(session::load(&service, id).await?)),
        AnyId::Notification(id) => {
            let all = store.notifications(service.workspace).await?;
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
