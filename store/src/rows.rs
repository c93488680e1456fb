//! The rows of all tables, which the compiler checks against both databases, and the stored form of values.

mod access;
mod declare;
mod graph;
mod settings;
mod values;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sqlite::Sqlite;
use windlass_core::{
    ApprovalId, EventId, EventStatus, FailureClass, Grant, HandlerKind, InputId, JournalId,
    LogLevel, Manifest, MutationId, MutationStatus, NotificationId, Outcome, Phase, ResolvedBy,
    RunId, Schedule, ScriptId, ScriptPosition, SessionId, SessionKind, SessionResult, Status,
    TopicId, Trial, Trigger, WorkerId, WorkflowId, WorkflowKind, WorkflowStatus, WorkspaceId,
};

pub(crate) use self::access::CredentialRow;
use self::declare::rows;
pub(crate) use self::graph::{ApprovalRow, ArtifactRow, AttemptRow, GraphRunRow, NodeRunRow};
pub(crate) use self::settings::WorkspaceSettings;
pub(crate) use self::values::{At, Db, Json, storable, storable_json};
use crate::model::NotificationKind;
use crate::schema::{
    deliveries, event_inputs, event_rounds, events, handler_runs, handler_state, inputs, journal,
    limits, mutations, notifications, run_inputs, run_logs, scripts, sessions, subscriptions,
    topics, workers, workflow_keys, workflows, workspaces,
};

rows! {
    /// A tenant.
    workspaces: WorkspaceRow {
        id: Db<WorkspaceId>,
        name: String,
        settings: Json<WorkspaceSettings>,
        created_at: At,
    }

    /// A workflow. All its columns that change are written together, and only while its row is locked.
    #[derive(AsChangeset)]
    #[diesel(treat_none_as_null = true)]
    workflows: WorkflowRow {
        id: Db<WorkflowId>,
        #[diesel(skip_update)]
        workspace_id: Db<WorkspaceId>,
        #[diesel(skip_update)]
        kind: Db<WorkflowKind>,
        #[diesel(skip_update)]
        name: String,
        #[diesel(skip_update)]
        title: String,
        status: Db<WorkflowStatus>,
        error: Option<String>,
        error_class: Option<Db<FailureClass>>,
        maintenance: bool,
        contradicted_mutation_id: Option<Db<MutationId>>,
        stopped_by_run_id: Option<Db<RunId>>,
        pending_retry_run_id: Option<Db<RunId>>,
        label: Option<String>,
        priority: i32,
        active_script_id: Option<Db<ScriptId>>,
        transient_failures: i32,
        backoff_until: Option<At>,
        lost_runs: i32,
        blaming: bool,
        window_started_at: Option<At>,
        window_mutations: i32,
        window_doubts: i32,
        due_at: Option<At>,
        #[diesel(skip_update)]
        created_at: At,
        updated_at: At,
    }

    /// A limit on the runs with a key, and its usage.
    #[derive(AsChangeset)]
    #[diesel(treat_none_as_null = true)]
    limits: LimitRow {
        workspace_id: Db<WorkspaceId>,
        key: String,
        at_once: Option<i32>,
        rate: Option<i32>,
        rate_window: Option<i64>,
        window_started_at: Option<At>,
        taken: i32,
    }

    /// A limit key of a workflow's runs.
    workflow_keys: WorkflowKeyRow {
        workflow_id: Db<WorkflowId>,
        key: String,
    }

    /// A worker, as of its last heartbeat.
    #[derive(AsChangeset)]
    #[diesel(treat_none_as_null = true)]
    workers: WorkerRow {
        id: Db<WorkerId>,
        workspace_id: Option<Db<WorkspaceId>>,
        host: String,
        pid: i64,
        version: String,
        labels: Json<Vec<String>>,
        slots: i32,
        running: i32,
        done: i64,
        failed: i64,
        started_at: At,
        last_heartbeat_at: At,
    }

    /// A script version.
    scripts: ScriptRow {
        id: Db<ScriptId>,
        workflow_id: Db<WorkflowId>,
        major: i32,
        minor: i32,
        file_name: String,
        source: String,
        digest: String,
        manifest: Json<Manifest>,
        granted: Json<Grant>,
        comment: String,
        created_at: At,
    }

    /// A topic.
    topics: TopicRow {
        id: Db<TopicId>,
        workflow_id: Db<WorkflowId>,
        name: String,
        created_at: At,
    }

    /// A consumer's subscription to a topic.
    subscriptions: SubscriptionRow {
        workflow_id: Db<WorkflowId>,
        consumer: String,
        topic: String,
    }

    /// A session.
    sessions: SessionRow {
        id: Db<SessionId>,
        workflow_id: Db<WorkflowId>,
        kind: Db<SessionKind>,
        trigger: Db<Trigger>,
        result: Option<Db<SessionResult>>,
        error: Option<String>,
        error_class: Option<Db<FailureClass>>,
        begun_run_count: i32,
        handler_run_count: i32,
        cost: i64,
        created_at: At,
        ended_at: Option<At>,
        log_seq: i32,
    }

    /// A handler run; its large values are in `run_values`.
    handler_runs: RunRow {
        id: Db<RunId>,
        workspace_id: Db<WorkspaceId>,
        workflow_id: Db<WorkflowId>,
        session_id: Db<SessionId>,
        script_id: Db<ScriptId>,
        kind: Db<HandlerKind>,
        handler_name: String,
        phase: Db<Phase>,
        status: Db<Status>,
        retry_of: Option<Db<RunId>>,
        trial_event_id: Option<Db<EventId>>,
        trial: Option<Db<Trial>>,
        mutation_id: Option<Db<MutationId>>,
        mutation_outcome: Option<Db<Outcome>>,
        refused: bool,
        error: Option<String>,
        error_class: Option<Db<FailureClass>>,
        error_at: Option<Json<ScriptPosition>>,
        cost: i64,
        claimed_by: Option<Db<WorkerId>>,
        lease_expires_at: Option<At>,
        fence: i64,
        label: Option<String>,
        priority: i32,
        rank: At,
        limited: bool,
        created_at: At,
        started_at: Option<At>,
        ended_at: Option<At>,
    }

    /// An entry of the input ledger.
    inputs: InputRow {
        id: Db<InputId>,
        workflow_id: Db<WorkflowId>,
        source: String,
        input_type: String,
        external_id: String,
        title: String,
        created_by_run_id: Option<Db<RunId>>,
        past_status: Option<Db<EventStatus>>,
        created_at: At,
    }

    /// An event.
    events: EventRow {
        id: Db<EventId>,
        workflow_id: Db<WorkflowId>,
        topic_id: Db<TopicId>,
        message_id: String,
        payload: Json,
        status: Db<EventStatus>,
        reserved_by_run_id: Option<Db<RunId>>,
        created_by_run_id: Db<RunId>,
        attempt_number: i32,
        round: i32,
        blamed: i32,
        blamed_for: Option<String>,
        reason: Option<String>,
        suspected_in: Option<Db<Trial>>,
        passed: Option<Db<Trial>>,
        created_at: At,
        updated_at: At,
    }

    /// A round of an event that a replay has ended.
    event_rounds: EventRoundRow {
        event_id: Db<EventId>,
        round: i32,
        run_id: Db<RunId>,
        ended_at: At,
    }

    /// An input that caused an event.
    event_inputs: EventInputRow {
        event_id: Db<EventId>,
        input_id: Db<InputId>,
    }

    /// An input that caused a run.
    run_inputs: RunInputRow {
        run_id: Db<RunId>,
        input_id: Db<InputId>,
    }

    /// An entry of the mutation ledger.
    mutations: MutationRow {
        id: Db<MutationId>,
        workflow_id: Db<WorkflowId>,
        handler_run_id: Db<RunId>,
        operation_id: String,
        event_ids: Json<Vec<EventId>>,
        tool_namespace: String,
        tool_method: String,
        params: Json,
        params_digest: String,
        target: String,
        place: Option<String>,
        idempotency_key: String,
        status: Db<MutationStatus>,
        result: Option<Json>,
        error: Option<String>,
        error_class: Option<Db<FailureClass>>,
        reconcilable: bool,
        reconcile_attempts: i32,
        last_reconcile_at: Option<At>,
        next_reconcile_at: Option<At>,
        looked_up_until: Option<At>,
        resolved_by: Option<Db<ResolvedBy>>,
        resolved_at: Option<At>,
        unsent: bool,
        ui_title: String,
        late_evidence: Option<String>,
        cost: i64,
        created_at: At,
        updated_at: At,
    }

    /// The state of a handler between its runs.
    handler_state: HandlerRow {
        workflow_id: Db<WorkflowId>,
        kind: Db<HandlerKind>,
        name: String,
        declared: bool,
        state: Option<Json>,
        has_work: bool,
        wake_at: Option<At>,
        schedule: Option<Json<Schedule>>,
        next_run_at: Option<At>,
        last_run_at: Option<At>,
        parked_in_a_row: i32,
        updated_at: At,
        updated_by_run_id: Option<Db<RunId>>,
    }

    /// A log line.
    run_logs: LogRow {
        session_id: Db<SessionId>,
        seq: i32,
        handler_run_id: Option<Db<RunId>>,
        level: Db<LogLevel>,
        message: String,
        created_at: At,
    }

    /// Where a notification is to be sent, and what became of that.
    deliveries: DeliveryRow {
        notification_id: Db<NotificationId>,
        channel: String,
        workspace_id: Db<WorkspaceId>,
        attempts: i32,
        next_attempt_at: Option<At>,
        error: Option<String>,
        created_at: At,
        sent_at: Option<At>,
    }

    /// Something a person should know.
    notifications: NotificationRow {
        id: Db<NotificationId>,
        workspace_id: Db<WorkspaceId>,
        workflow_id: Db<WorkflowId>,
        kind: Db<NotificationKind>,
        run_id: Option<Db<RunId>>,
        mutation_id: Option<Db<MutationId>>,
        title: String,
        body: String,
        reason: Option<String>,
        session_id: Option<Db<SessionId>>,
        approval_id: Option<Db<ApprovalId>>,
        created_at: At,
        resolved_at: Option<At>,
    }

    /// Who did what.
    journal: JournalRow {
        id: Db<JournalId>,
        workspace_id: Db<WorkspaceId>,
        workflow_id: Option<Db<WorkflowId>>,
        actor: String,
        action: String,
        subject: String,
        reason: Option<String>,
        details: Json,
        session_id: Option<Db<SessionId>>,
        seq: Option<i32>,
        created_at: At,
    }
}

/// A session as far as it decides what its workflow does next.
#[derive(Debug, Clone, Copy, PartialEq, HasQuery)]
#[diesel(table_name = sessions, check_for_backend(Pg, Sqlite))]
pub(crate) struct SessionHead {
    pub(crate) id: Db<SessionId>,
    pub(crate) begun_run_count: i32,
    pub(crate) result: Option<Db<SessionResult>>,
}

/// The values that a run starts with: nothing, the handler's state, or those of the run that it retries.
#[derive(Debug, Clone, Default, PartialEq, Queryable)]
pub(crate) struct StartValues {
    pub(crate) prepare_result: Option<Json>,
    pub(crate) input_state: Option<Json>,
}

/// All values of a run.
#[derive(Debug, Clone, PartialEq, Queryable)]
pub(crate) struct RunValues {
    pub(crate) prepare_result: Option<Json>,
    pub(crate) input_state: Option<Json>,
    pub(crate) output_state: Option<Json>,
}

/// The columns of a run that decide its next step.
#[derive(Debug, Clone, PartialEq, HasQuery)]
#[diesel(table_name = handler_runs, check_for_backend(Pg, Sqlite))]
pub(crate) struct RunHead {
    pub(crate) id: Db<RunId>,
    pub(crate) workflow_id: Db<WorkflowId>,
    pub(crate) session_id: Db<SessionId>,
    pub(crate) script_id: Db<ScriptId>,
    pub(crate) kind: Db<HandlerKind>,
    pub(crate) handler_name: String,
    pub(crate) phase: Db<Phase>,
    pub(crate) status: Db<Status>,
    pub(crate) retry_of: Option<Db<RunId>>,
    pub(crate) trial_event_id: Option<Db<EventId>>,
    pub(crate) trial: Option<Db<Trial>>,
    pub(crate) mutation_id: Option<Db<MutationId>>,
    pub(crate) mutation_outcome: Option<Db<Outcome>>,
    pub(crate) refused: bool,
    pub(crate) claimed_by: Option<Db<WorkerId>>,
    pub(crate) lease_expires_at: Option<At>,
    pub(crate) fence: i64,
    pub(crate) limited: bool,
    pub(crate) ended_at: Option<At>,
}
