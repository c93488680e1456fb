//! Converts rows to the records that the store returns, and numbers between their stored and their public types: the databases
//! have no unsigned numbers.

mod access;
mod graph;

use windlass_core::{InputId, MutationId, MutationStatus, Outcome, RunId};

use crate::model::{
    Delivery, Event, HandlerState, Input, InputStatus, JournalEntry, LogEntry, Mutation,
    Notification, Round, Run, ScriptVersion, Session, Worker, Workflow,
};
use crate::rows::{
    At, Db, DeliveryRow, EventRow, HandlerRow, InputRow, JournalRow, Json, LogRow, MutationRow,
    NotificationRow, RunRow, RunValues, ScriptRow, SessionRow, WorkerRow, WorkflowRow,
};

fn value<T>(stored: Option<Db<T>>) -> Option<T> {
    stored.map(|Db(value)| value)
}

fn json<T>(stored: Option<Json<T>>) -> Option<T> {
    stored.map(|Json(value)| value)
}

fn instant(stored: Option<At>) -> Option<windlass_core::Timestamp> {
    stored.map(|At(instant)| instant)
}

/// A duration as stored: in microseconds.
pub(crate) fn to_micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A count as stored.
pub(crate) fn to_i32(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// A large count as stored.
pub(crate) fn to_i64(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A stored count.
pub(crate) fn to_u32(stored: i32) -> u32 {
    u32::try_from(stored).unwrap_or(0)
}

/// A stored large count.
pub(crate) fn to_u64(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

impl From<WorkflowRow> for Workflow {
    fn from(row: WorkflowRow) -> Self {
        Self {
            id: row.id.0,
            workspace_id: row.workspace_id.0,
            name: row.name,
            kind: row.kind.0,
            title: row.title,
            status: row.status.0,
            error: row.error,
            error_class: value(row.error_class),
            maintenance: row.maintenance,
            contradicted_mutation_id: value(row.contradicted_mutation_id),
            stopped_by_run_id: value(row.stopped_by_run_id),
            pending_retry_run_id: value(row.pending_retry_run_id),
            active_script_id: value(row.active_script_id),
            label: row.label,
            priority: row.priority,
            transient_failures: to_u32(row.transient_failures),
            backoff_until: instant(row.backoff_until),
            due_at: instant(row.due_at),
            created_at: row.created_at.0,
        }
    }
}

impl From<ScriptRow> for ScriptVersion {
    fn from(row: ScriptRow) -> Self {
        Self {
            id: row.id.0,
            workflow_id: row.workflow_id.0,
            major: to_u32(row.major),
            minor: to_u32(row.minor),
            file_name: row.file_name,
            source: row.source,
            digest: row.digest,
            manifest: row.manifest.0,
            grant: row.granted.0,
            comment: row.comment,
            created_at: row.created_at.0,
        }
    }
}

impl From<HandlerRow> for HandlerState {
    fn from(row: HandlerRow) -> Self {
        Self {
            kind: row.kind.0,
            name: row.name,
            state: json(row.state),
            has_work: row.has_work,
            wake_at: instant(row.wake_at),
            schedule: json(row.schedule),
            next_run_at: instant(row.next_run_at),
            last_run_at: instant(row.last_run_at),
        }
    }
}

/// The outcome of a mutation as it is stored, and whether it was refused and its run goes on. Older programs know such a run as one
/// whose mutation was skipped, and continue it just the same.
pub(crate) fn stored_outcome(outcome: Option<Outcome>) -> (Option<Db<Outcome>>, bool) {
    match outcome {
        Some(Outcome::Refused) => (Some(Db(Outcome::Skipped)), true),
        other @ (Some(Outcome::Success | Outcome::Failure | Outcome::Skipped) | None) => {
            (other.map(Db), false)
        }
    }
}

/// The outcome of a mutation, from what [`stored_outcome`] stored.
pub(crate) fn outcome(stored: Option<Db<Outcome>>, refused: bool) -> Option<Outcome> {
    if refused { Some(Outcome::Refused) } else { value(stored) }
}

impl RunRow {
    /// The run, with its values.
    pub(crate) fn into_run(self, values: RunValues) -> Run {
        let row = self;
        Run {
            id: row.id.0,
            workflow_id: row.workflow_id.0,
            session_id: row.session_id.0,
            script_id: row.script_id.0,
            kind: row.kind.0,
            handler: row.handler_name,
            phase: row.phase.0,
            status: row.status.0,
            retry_of: value(row.retry_of),
            mutation_id: value(row.mutation_id),
            mutation_outcome: outcome(row.mutation_outcome, row.refused),
            prepare_result: json(values.prepare_result),
            input_state: json(values.input_state),
            output_state: json(values.output_state),
            error: row.error,
            error_class: value(row.error_class),
            error_at: json(row.error_at),
            cost: row.cost,
            claimed_by: value(row.claimed_by).map(|worker| worker.to_string()),
            fence: row.fence,
            created_at: row.created_at.0,
            started_at: instant(row.started_at),
            ended_at: instant(row.ended_at),
        }
    }
}

impl From<SessionRow> for Session {
    fn from(row: SessionRow) -> Self {
        Self {
            id: row.id.0,
            workflow_id: row.workflow_id.0,
            trigger: row.trigger.0,
            result: value(row.result),
            error: row.error,
            error_class: value(row.error_class),
            handler_run_count: to_u32(row.handler_run_count),
            log_line_count: to_u32(row.log_seq),
            cost: row.cost,
            created_at: row.created_at.0,
            ended_at: instant(row.ended_at),
        }
    }
}

impl From<(LogRow, Option<String>)> for LogEntry {
    fn from((row, handler): (LogRow, Option<String>)) -> Self {
        Self {
            seq: to_u32(row.seq),
            handler_run_id: value(row.handler_run_id),
            handler,
            level: row.level.0,
            message: row.message,
            created_at: row.created_at.0,
        }
    }
}

impl From<JournalRow> for JournalEntry {
    fn from(row: JournalRow) -> Self {
        Self {
            id: row.id.0,
            workflow_id: value(row.workflow_id),
            actor: row.actor,
            action: row.action,
            subject: row.subject,
            reason: row.reason,
            details: row.details.0,
            session_id: value(row.session_id),
            seq: row.seq.map(to_u32),
            created_at: row.created_at.0,
        }
    }
}

impl EventRow {
    /// The event, in the topic of that name.
    pub(crate) fn into_event(self, topic: String) -> Event {
        Event {
            id: self.id.0,
            topic,
            message_id: self.message_id,
            status: self.status.0,
            attempt_number: to_u32(self.attempt_number),
            round: to_u32(self.round),
            blamed: to_u32(self.blamed),
            blamed_for: self.blamed_for,
            payload: self.payload.0,
            reserved_by_run_id: value(self.reserved_by_run_id),
            created_by_run_id: self.created_by_run_id.0,
            created_at: self.created_at.0,
        }
    }
}

impl Round {
    /// A round, as the database has it.
    pub(crate) fn new(number: i32, run: RunId, mutation: Option<Db<MutationId>>) -> Self {
        Self { number: to_u32(number), run_id: run, mutation_id: value(mutation) }
    }
}

impl InputRow {
    /// The input, of which that became.
    pub(crate) fn into_input(self, status: InputStatus) -> Input {
        Input {
            id: self.id.0,
            workflow_id: self.workflow_id.0,
            source: self.source,
            input_type: self.input_type,
            external_id: self.external_id,
            title: self.title,
            status,
            created_by_run_id: value(self.created_by_run_id),
            created_at: self.created_at.0,
        }
    }
}

impl MutationRow {
    /// The mutation, caused by those inputs.
    pub(crate) fn into_mutation(self, inputs: Vec<InputId>) -> Mutation {
        Mutation {
            id: self.id.0,
            workflow_id: self.workflow_id.0,
            handler_run_id: self.handler_run_id.0,
            tool_namespace: self.tool_namespace,
            tool_method: self.tool_method,
            params: self.params.0,
            params_digest: self.params_digest,
            operation_id: self.operation_id,
            target: self.target,
            idempotency_key: self.idempotency_key,
            status: self.status.0,
            result: json(self.result),
            error: self.error,
            error_class: value(self.error_class),
            reconcilable: self.reconcilable,
            reconcile_attempts: to_u32(self.reconcile_attempts),
            next_reconcile_at: instant(self.next_reconcile_at),
            resolved_by: value(self.resolved_by),
            resolved_at: instant(self.resolved_at),
            ui_title: self.ui_title,
            late_evidence: self.late_evidence,
            cost: if self.status.0 == MutationStatus::Applied { self.cost } else { 0 },
            inputs,
            created_at: self.created_at.0,
            updated_at: self.updated_at.0,
        }
    }
}

impl NotificationRow {
    /// The notification, about the workflow of that name.
    pub(crate) fn into_notification(self, workflow: String) -> Notification {
        Notification {
            id: self.id.0,
            workflow_id: self.workflow_id.0,
            workflow,
            kind: self.kind.0,
            run_id: value(self.run_id),
            mutation_id: value(self.mutation_id),
            title: self.title,
            body: self.body,
            created_at: self.created_at.0,
            resolved_at: instant(self.resolved_at),
        }
    }
}

impl DeliveryRow {
    /// The delivery of the notification with that title.
    pub(crate) fn into_delivery(self, title: String) -> Delivery {
        Delivery {
            notification_id: self.notification_id.0,
            title,
            channel: self.channel,
            attempts: to_u32(self.attempts),
            next_attempt_at: instant(self.next_attempt_at),
            error: self.error,
            created_at: self.created_at.0,
            sent_at: instant(self.sent_at),
        }
    }
}

impl From<WorkerRow> for Worker {
    fn from(row: WorkerRow) -> Self {
        let Json(labels) = row.labels;
        Self {
            id: row.id.0,
            workspace_id: value(row.workspace_id),
            host: row.host,
            pid: row.pid,
            version: row.version,
            labels,
            slots: to_u32(row.slots),
            running: to_u32(row.running),
            done: to_u64(row.done),
            failed: to_u64(row.failed),
            started_at: row.started_at.0,
            last_heartbeat_at: row.last_heartbeat_at.0,
        }
    }
}
