//! `approval`: what people are asked, and their answers.

use serde::Serialize;
use windlass_api::service::ApprovalView;
use windlass_core::{Actor, ApprovalAnswer, ApprovalStatus};

use super::plan::{PlanPage, acting, write_answers};
use crate::cli::{ApprovalArgs, ApprovalCommand};
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::hint::CommandHint;
use crate::output::{Printable, TextPage};

pub(crate) async fn run(context: &Context, args: &ApprovalArgs) -> Result<ExitStatus> {
    match &args.command {
        ApprovalCommand::List(args) => {
            let service = context.open_existing().await?;
            context.output.print(&Approvals(service.approvals(args.all).await?))?;
            Ok(ExitStatus::Done)
        }
        ApprovalCommand::Show(args) => {
            let service = context.open_existing().await?;
            let approval = service.approval(&args.id).await?;
            context.output.print(&Approval { approval, hint: context.hint.clone() })?;
            Ok(ExitStatus::Done)
        }
        ApprovalCommand::Approve(args) => {
            let comments = args.comment.clone();
            let said =
                ApprovalAnswer { approved: Some(true), comments, ..ApprovalAnswer::default() };
            answer(context, (&args.id, said), args.who.actor.as_ref()).await
        }
        ApprovalCommand::Reject(args) => {
            let said = ApprovalAnswer {
                approved: Some(false),
                required_edits: args.edits.clone(),
                comments: args.comment.clone(),
                ..ApprovalAnswer::default()
            };
            answer(context, (&args.id, said), args.who.actor.as_ref()).await
        }
        ApprovalCommand::Answer(args) => {
            let (response_text, response) = (args.text.clone(), args.data.clone());
            let said = ApprovalAnswer { response_text, response, ..ApprovalAnswer::default() };
            answer(context, (&args.id, said), args.who.actor.as_ref()).await
        }
    }
}

async fn answer(
    context: &Context,
    (id, said): (&str, ApprovalAnswer),
    actor: Option<&Actor>,
) -> Result<ExitStatus> {
    let service = acting(context.open_existing().await?, actor);
    let answer = service.answer_approval(id, said).await?;
    context.output.print(&PlanPage::new(context, answer))?;
    Ok(ExitStatus::Done)
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Approvals(Vec<ApprovalView>);

impl Printable for Approvals {
    fn write(&self, page: &mut TextPage) {
        if self.0.is_empty() {
            return page.line("Nobody is asked anything.");
        }
        let row = |asked: &ApprovalView| {
            [
                asked.workstream.clone(),
                asked.node_id.clone().unwrap_or_else(|| "-".to_owned()),
                asked.kind.to_string(),
                asked.status.to_string(),
                asked.prompt.clone(),
                asked.id.to_string(),
            ]
        };
        let header = ["WORKSTREAM", "NODE", "KIND", "STATUS", "QUESTION", "ID"];
        page.table(header, self.0.iter().map(row).collect());
    }
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Approval {
    approval: ApprovalView,
    #[serde(skip)]
    hint: CommandHint,
}

impl Printable for Approval {
    fn write(&self, page: &mut TextPage) {
        let asked = &self.approval;
        page.line(format_args!("{}: {}", asked.id, asked.prompt));
        page.field("kind", asked.kind);
        page.field("status", asked.status);
        page.field("plan", &asked.workstream);
        page.field_if("node", asked.node_id.as_ref());
        page.field_if("asked of", asked.owner.as_ref());
        page.moment("since", Some(asked.requested_at));
        page.json("shown", &asked.presented);
        page.field("digest", &asked.presented_digest);
        if let Some(response) = &asked.response {
            page.json("answer", response);
        }
        page.field_if("answered by", asked.responded_by.as_ref());
        page.moment("at", asked.responded_at);
        if asked.status == ApprovalStatus::Pending {
            page.heading("How to answer");
            write_answers(page, asked, &self.hint);
        }
    }
}
