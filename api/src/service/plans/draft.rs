//! Reads drafts of plans, and finds everything that is wrong with them.

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde::Serialize;
use serde_json::json;
use windlass_core::graph::{
    Draft, Finding, FindingCode, Known, KnownTool, MAX_DRAFT_BYTES, NodeResult, Severity, compile,
    has_blocking, normalise, validate,
};
use windlass_scheduler::{Callable, Effect, Registry, Target};
use windlass_store::GraphText;

use crate::service::error::{Result, ServiceError};

/// How long the text of a result may be, in bytes.
const MAX_RESULT_BYTES: usize = 16 * 1024 * 1024;

/// What a check of a draft found.
#[derive(Debug, Serialize)]
pub struct PlanCheck {
    /// Whether the plan can be begun.
    pub ok: bool,
    /// Everything that was found; warnings too.
    pub findings: Vec<Finding>,
}

impl From<&Result<GraphText, Vec<Finding>>> for PlanCheck {
    fn from(checked: &Result<GraphText, Vec<Finding>>) -> Self {
        match checked {
            Ok(text) => Self { ok: true, findings: text.graph.warnings.clone() },
            Err(findings) => Self { ok: false, findings: findings.clone() },
        }
    }
}

/// Checks drafts of plans. By default it knows no tools, and so finds none that are not there.
#[derive(Debug, Default)]
pub struct PlanChecker {
    known: Known,
}

impl PlanChecker {
    /// A checker for plans that may call what `registry` offers.
    #[must_use]
    pub fn new(registry: &Registry) -> Self {
        let tools = registry.callables().filter_map(|it| Some((it.name(), known_tool(it)?)));
        Self { known: Known { roster: None, tools: Some(tools.collect::<BTreeMap<_, _>>()) } }
    }

    /// Reads, completes, checks and compiles a draft. With `parallel`, so many of its nodes may be begun at once.
    ///
    /// # Errors
    /// Everything that was found, if something of it stops.
    pub fn check(
        &self,
        file_name: &str,
        source: String,
        parallel: Option<u32>,
    ) -> Result<GraphText, Vec<Finding>> {
        let draft = Draft::read(&source).map_err(|unreadable| vec![unreadable])?;
        let max_parallel = parallel.or(draft.max_parallel);
        let draft = normalise(Draft { max_parallel, ..draft });
        let findings = validate(&draft, &self.known);
        if has_blocking(&findings) {
            return Err(findings);
        }
        let mut graph = compile(draft).map_err(|error| {
            vec![Finding::new(FindingCode::PlanUnreadable, "", error.to_string())]
        })?;
        graph.warnings =
            findings.into_iter().filter(|it| it.severity == Severity::Warning).collect();
        Ok(GraphText { file_name: file_name.to_owned(), source, graph })
    }
}

/// What the checks ask of a tool; none of what the engine itself answers.
fn known_tool(callable: &Callable) -> Option<KnownTool> {
    let Target::Tool(tool) = callable.target() else { return None };
    let leaves_traces = tool.effect(&json!({})) == Effect::Mutation;
    Some(KnownTool { leaves_traces, input: callable.spec().input.clone() })
}

/// Reads the text of a draft, and no more of it than a draft may have.
///
/// # Errors
/// A finding where it is too long or no text; or the error of the reader.
pub fn read_draft(from: impl Read) -> io::Result<Result<String, Finding>> {
    let Some(bytes) = read_at_most(from, MAX_DRAFT_BYTES)? else {
        let message = format!(
            "the draft has more than {MAX_DRAFT_BYTES} bytes: keep large texts in files, and name them"
        );
        return Ok(Err(Finding::new(FindingCode::PlanTooLarge, "", message)));
    };
    Ok(String::from_utf8(bytes).map_err(|_error| {
        Finding::new(FindingCode::PlanUnreadable, "", "the draft is not UTF-8 text")
    }))
}

/// Reads the result of a node.
///
/// # Errors
/// [`ServiceError::InvalidResult`] where it is no result; or the error of the reader.
pub fn read_result(from: impl Read) -> io::Result<Result<NodeResult>> {
    let invalid = |problem: String| ServiceError::InvalidResult { problem };
    let Some(bytes) = read_at_most(from, MAX_RESULT_BYTES)? else {
        return Ok(Err(invalid(format!(
            "it has more than {MAX_RESULT_BYTES} bytes: keep large contents in files, and name them with `pointer`"
        ))));
    };
    Ok(serde_json::from_slice(&bytes).map_err(|error| invalid(error.to_string())))
}

/// All bytes; none where there are more than `limit`.
fn read_at_most(from: impl Read, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    from.take(one_more).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= limit).then_some(bytes))
}
