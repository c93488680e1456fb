//! The operations, each a method of [`Service`].

mod access;
mod advice;
mod approvals;
mod check;
mod control;
mod deploy;
mod details;
mod dry_run;
mod error;
mod error_code;
mod examination;
mod example;
mod handle;
mod health;
mod instance;
pub mod journal;
mod plans;
mod records;
mod replay;
mod session;
mod settle;
mod status;
mod versions;
mod workspaces;

pub use self::access::{CredentialRequest, NewCredential, digest_secret, new_secret};
pub use self::advice::{Advice, Fact, NextStep};
pub use self::approvals::ApprovalView;
pub use self::check::{
    CheckReport, ScriptChecker, ValidScript, require_known_tools, start_sandbox,
};
pub use self::control::{ControlledWorkflow, LabelChange};
pub use self::deploy::{
    Activation, Confirmation, DeployReport, DeployedScript, DeployedWorkflow, Deployment,
    GrantProposal, UnreadTopic, check_workflow_name,
};
pub use self::details::{
    EventDetails, EventHistory, InputDetails, OutputDetails, RecordDetails, RoundDetails,
    RunDetails, ScriptDetails, SessionDetails,
};
pub use self::dry_run::{
    CapturedMutation, DryRunLog, DryRunReport, OutputDifference, WorkflowCopy,
};
pub use self::error::{RecordName, Result, ServiceError, list_grant};
pub use self::error_code::store_error_code;
pub use self::examination::{Check, CheckResult, Examination, check_clock, check_disk, check_v8};
pub use self::handle::Service;
pub use self::health::{
    Badge, HealthInputs, MutationInDoubt, WorkflowHealth, judge_health, mutation_title,
    mutations_in_doubt,
};
pub use self::instance::{PruneMode, PruneReport, PrunedKind, WorkerRow, WorkflowRow};
pub use self::plans::{
    CarriedNode, InboxRow, NodeContract, PlanAction, PlanAnswer, PlanArtifact, PlanCheck,
    PlanChecker, PlanCheckpoint, PlanEvent, PlanIncludes, PlanIssue, PlanNode, PlanProgress,
    PlanRestart, PlanRow, PlanRun, PlanSpec, PlanStart, PlanView, SubmittedAttempt, draft_schema,
    read_draft, read_result,
};
pub(crate) use self::plans::{draft_properties, result_schema};
pub use self::records::{EventQuery, EventRow, InputRow, RecordList, RecordRange, RunRow};
pub use self::replay::Replay;
pub use self::session::{SessionReport, SessionRun};
pub use self::settle::{EventTarget, SettleReport, check_result, example_of_result};
pub use self::status::WorkflowStatusReport;
pub use self::versions::{VersionChange, VersionDifference, VersionRow};
pub use self::workspaces::WorkspaceSettings;
