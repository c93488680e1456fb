//! `connectors`: what the servers offer that lend tools, and what of it has changed.

use serde::Serialize;
use windlass_tools::mcp::{Condition, Survey, ToolSurvey};

use crate::cli::ConnectorsArgs;
use crate::context::Context;
use crate::exit::{Ending, Result};
use crate::output::{Answer, Page};

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Surveys {
    connectors: Vec<Survey>,
    /// The command that accepts a connector, but for its name.
    #[serde(skip)]
    accept: String,
}

pub(crate) async fn run(context: &Context, args: &ConnectorsArgs) -> Result<Ending> {
    let connectors = match &args.accept {
        Some(name) => vec![context.connectors.accept(name).await?],
        None => context.connectors.survey().await?,
    };
    let has = |condition| connectors.iter().any(|it| it.condition == condition);
    let ending = match () {
        () if has(Condition::Changed) => Ending::WaitsForPerson,
        () if has(Condition::Unreachable) => Ending::Failed,
        () => Ending::Done,
    };
    let accept = context.hint.command("connectors --accept");
    context.output.answer(&Surveys { connectors, accept })?;
    Ok(ending)
}

impl Answer for Surveys {
    fn write(&self, page: &mut Page) {
        if self.connectors.is_empty() {
            page.line("There are no connectors: name one in `[mcp.NAME]` of the configuration.");
        }
        for (idx, connector) in self.connectors.iter().enumerate() {
            if idx > 0 {
                page.line("");
            }
            self.write_one(page, connector);
        }
    }
}

impl Surveys {
    fn write_one(&self, page: &mut Page, connector: &Survey) {
        let Survey { name, condition, .. } = connector;
        let state = match condition {
            Condition::New => "listed for the first time, and accepted",
            Condition::AsAccepted => "as accepted",
            Condition::Changed => "CHANGED",
            Condition::Unreachable => "UNREACHABLE",
        };
        page.line(format_args!("{name}: {state}"));
        page.field("scripts say", &connector.namespace);
        page.field("server", &connector.place);
        page.field_if("problem", connector.problem.as_ref());
        if let (Some(at), Some(by)) = (connector.accepted_at, &connector.accepted_by) {
            page.field("accepted", format_args!("{} by {by}", page.time(at)));
        }
        for change in &connector.changes {
            page.field("changed", format_args!("{}: {}", change.tool, change.what));
        }
        if *condition == Condition::Changed {
            page.field(
                "what to do",
                format_args!("look at it; `{} {name}` lets scripts use it", self.accept),
            );
        }
        if !connector.tools.is_empty() {
            let header = ["TOOL", "SCRIPTS SAY", "EFFECT", "BECAUSE", "LOOKED UP BY"];
            page.table(header, connector.tools.iter().map(row).collect());
        }
        for (tool, problem) in
            connector.tools.iter().filter_map(|it| Some((it, it.problem.as_ref()?)))
        {
            page.field("not offered", format_args!("{}: {problem}", tool.tool));
        }
    }
}

fn row(tool: &ToolSurvey) -> [String; 5] {
    let looked_up = tool.reconciled_by.clone().unwrap_or_else(|| "-".to_owned());
    let because = tool.because();
    [tool.tool.clone(), tool.method.clone(), tool.effect.to_owned(), because, looked_up]
}
