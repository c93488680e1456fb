//! `connectors`: what each connector offers, and what of that has changed.

use serde::Serialize;
use windlass_tools::mcp::{ConnectorReport, ConnectorState, EffectSource, ToolReport};

use crate::cli::ConnectorsArgs;
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};
use crate::trust;

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Reports {
    connectors: Vec<ConnectorReport>,
    /// The command that accepts a connector, but for its name.
    #[serde(skip)]
    accept: String,
}

pub(crate) async fn run(context: &Context, args: &ConnectorsArgs) -> Result<ExitStatus> {
    trust::require(context)?;
    let connectors = match &args.accept {
        Some(name) => vec![context.connectors.accept(name).await?],
        None => context.connectors.inspect().await?,
    };
    let has = |state| connectors.iter().any(|it| it.state == state);
    let ending = match () {
        () if has(ConnectorState::Changed) => ExitStatus::WaitsForPerson,
        () if has(ConnectorState::Unreachable) => ExitStatus::Failed,
        () => ExitStatus::Done,
    };
    let accept = context.hint.command("connectors --accept");
    context.output.print(&Reports { connectors, accept })?;
    Ok(ending)
}

impl Printable for Reports {
    fn write(&self, page: &mut TextPage) {
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

impl Reports {
    fn write_one(&self, page: &mut TextPage, connector: &ConnectorReport) {
        let ConnectorReport { name, state, .. } = connector;
        let described = match state {
            ConnectorState::New => "listed for the first time, and accepted",
            ConnectorState::AsAccepted => "as accepted",
            ConnectorState::Changed => "CHANGED",
            ConnectorState::Unreachable => "UNREACHABLE",
        };
        page.line(format_args!("{name}: {described}"));
        page.field("scripts say", &connector.namespace);
        page.field("server", &connector.address);
        page.field_if("problem", connector.problem.as_ref());
        if let (Some(at), Some(by)) = (connector.accepted_at, &connector.accepted_by) {
            page.field("accepted", format_args!("{} by {by}", page.time(at)));
        }
        for change in &connector.changes {
            page.field("changed", format_args!("{}: {}", change.tool, change.what));
        }
        if *state == ConnectorState::Changed {
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

fn row(tool: &ToolReport) -> [String; 5] {
    let looked_up = tool.reconciled_by.clone().unwrap_or_else(|| "-".to_owned());
    let because = because(tool);
    [tool.tool.clone(), tool.method.clone(), tool.effect.to_owned(), because, looked_up]
}

/// Who says that a tool reads or mutates, and what else the server claims about a mutation.
fn because(tool: &ToolReport) -> String {
    let source = match tool.effect_source {
        EffectSource::Annotation => "the server says so",
        EffectSource::Config => "the configuration says so",
        EffectSource::Unknown => "nobody says",
    };
    let claims = [(tool.hints.destructive, "destructive"), (tool.hints.idempotent, "idempotent")];
    let claims: Vec<_> = claims
        .into_iter()
        .filter(|(is_claimed, _)| tool.effect == "mutation" && *is_claimed == Some(true))
        .map(|(_, claim)| claim)
        .collect();
    let separator = if claims.is_empty() { "" } else { "; " };
    format!("{source}{separator}{}", claims.join(", "))
}
