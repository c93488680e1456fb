//! Outputs: the effects on the outside world, and what a person says of those in doubt.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use windlass_core::{
    FailureClass, InputId, MutationId, MutationStatus, ResolvedBy, RunId, Timestamp, WorkflowId,
};
use windlass_store::{Mutation, Resolution};

use crate::http::caller::{Read, Settle, Tenant};
use crate::http::extract::{Body, Path, Query};
use crate::http::list::{List, OrderQuery, PageQuery};
use crate::http::problem::{Problem, Problems};
use crate::http::state::HttpState;
use crate::service::check_result;

/// An effect on the outside world.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Output)]
pub(in crate::http) struct OutputView {
    /// Its id.
    #[schema(value_type = String)]
    id: MutationId,
    /// Its workflow.
    #[schema(value_type = String)]
    workflow: WorkflowId,
    /// The run that made it.
    #[schema(value_type = String)]
    run: RunId,
    /// What the script calls it.
    title: String,
    /// The tool's namespace.
    tool: String,
    /// The tool's method.
    method: String,
    /// The exact input of the call.
    #[schema(value_type = Value)]
    params: Value,
    /// Where the effect would be seen.
    target: String,
    /// The key by which the provider recognises a repetition.
    idempotency_key: String,
    /// What is known of the effect.
    #[schema(value_type = String)]
    status: MutationStatus,
    /// The tool's answer.
    #[schema(value_type = Option<Value>)]
    result: Option<Value>,
    /// Why it failed or is in doubt.
    error: Option<String>,
    /// The class of that.
    #[schema(value_type = Option<String>)]
    error_class: Option<FailureClass>,
    /// Whether the tool can look the effect up.
    reconcilable: bool,
    /// How often it was looked up.
    reconcile_attempts: u32,
    /// When it will be looked up again.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_reconcile_at: Option<Timestamp>,
    /// Who settled a doubt.
    #[schema(value_type = Option<String>)]
    resolved_by: Option<ResolvedBy>,
    /// What a worker reported after it had lost the run.
    late_evidence: Option<String>,
    /// What it cost, in microdollars; nothing unless it happened.
    cost_microdollars: i64,
    /// The inputs that caused it.
    #[schema(value_type = Vec<String>)]
    inputs: Vec<InputId>,
    /// When it was entered in the ledger, before the request left.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<Mutation> for OutputView {
    fn from(mutation: Mutation) -> Self {
        Self {
            id: mutation.id,
            workflow: mutation.workflow_id,
            run: mutation.handler_run_id,
            title: mutation.ui_title,
            tool: mutation.tool_namespace,
            method: mutation.tool_method,
            params: mutation.params,
            target: mutation.target,
            idempotency_key: mutation.idempotency_key,
            status: mutation.status,
            result: mutation.result,
            error: mutation.error,
            error_class: mutation.error_class,
            reconcilable: mutation.reconcilable,
            reconcile_attempts: mutation.reconcile_attempts,
            next_reconcile_at: mutation.next_reconcile_at,
            resolved_by: mutation.resolved_by,
            late_evidence: mutation.late_evidence,
            cost_microdollars: mutation.cost,
            inputs: mutation.inputs,
            created_at: mutation.created_at,
            updated_at: mutation.updated_at,
        }
    }
}

pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(details)).routes(routes!(resolve))
}

/// Lists the outputs of a workflow, newest first.
#[utoipa::path(get, path = "/workspaces/{workspace}/workflows/{workflow}/outputs", tag = "outputs",
    params(("workspace" = String, Path, description = "The workspace's name."), ("workflow" = String, Path, description = "Its name or id."), OrderQuery, PageQuery),
    responses((status = 200, description = "A page of outputs.", body = List<OutputView>), Problems))]
async fn list(
    Tenant { service, .. }: Tenant<Read>,
    Path((_workspace, workflow)): Path<(String, String)>,
    Query(order): Query<OrderQuery>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<List<OutputView>>, Problem> {
    let workflow = service.store.find_workflow(service.workspace, &workflow).await?.id;
    let outputs =
        service.store.mutations(service.workspace, workflow, order.into(), page.page()?).await?;
    Ok(axum::Json(List::of(outputs)))
}

/// Shows an output.
#[utoipa::path(get, path = "/workspaces/{workspace}/outputs/{output}", tag = "outputs",
    params(("workspace" = String, Path, description = "The workspace's name."), ("output" = String, Path, description = "Its id, or the beginning or end of it.")),
    responses((status = 200, description = "The output.", body = OutputView), Problems))]
async fn details(
    Tenant { service, .. }: Tenant<Read>,
    Path((_workspace, output)): Path<(String, String)>,
) -> Result<axum::Json<OutputView>, Problem> {
    Ok(axum::Json(service.find_output(&output).await?.into()))
}

/// What a person says of an effect of which nobody knows whether it happened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResolutionBody {
    /// What happened.
    answer: Answer,
    /// What the tool would have answered; only with `happened`.
    #[serde(default)]
    #[schema(value_type = Option<Value>)]
    result: Option<Value>,
    /// Why the person says so, for the journal.
    #[serde(default)]
    reason: Option<String>,
}

/// What a person says of an effect.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// It happened. `result` is what the tool would have answered.
    Happened,
    /// It did not happen: it is made anew.
    DidNotHappen,
    /// It is left: its events are skipped.
    Skip,
    /// Its tool looks it up again.
    TryAgain,
}

/// Settles an output of which nobody knows whether it happened.
#[utoipa::path(post, path = "/workspaces/{workspace}/outputs/{output}/resolution", tag = "outputs",
    params(("workspace" = String, Path, description = "The workspace's name."), ("output" = String, Path, description = "Its id, or the beginning or end of it.")),
    request_body = ResolutionBody,
    responses((status = 200, description = "The output as it is now.", body = OutputView), Problems))]
async fn resolve(
    State(state): State<HttpState>,
    Tenant { service, .. }: Tenant<Settle>,
    Path((_workspace, output)): Path<(String, String)>,
    Body(body): Body<ResolutionBody>,
) -> Result<axum::Json<OutputView>, Problem> {
    let output = service.find_output(&output).await?;
    let resolution = match (body.answer, body.result) {
        (Answer::Happened, Some(result)) => {
            check_result(state.registry(), &output, &result)?;
            Resolution::Happened(result)
        }
        (Answer::Happened, None) => {
            return Err(Problem::unprocessable(
                "`result` is missing: what the tool would have answered",
            ));
        }
        (_, Some(_)) => {
            return Err(Problem::unprocessable("`result` goes with the answer `happened` only"));
        }
        (Answer::DidNotHappen, None) => Resolution::DidNotHappen,
        (Answer::Skip, None) => Resolution::Skip,
        (Answer::TryAgain, None) => Resolution::TryAgain,
    };
    let settled = service.resolve_mutation(output.id, resolution, body.reason).await?;
    Ok(axum::Json(settled.into()))
}
