//! What a session did, and whether one may begin.

use serde::Serialize;
use windlass_core::{
    HandlerKind, Phase, RunId, SessionId, SessionResult, Status, Trigger, WorkflowId,
};
use windlass_store::{LogSource, Run, Session, StartSession};

use super::error::{Result, ServiceError};
use super::handle::Service;
use crate::text::TimeFormat;

/// A session and its runs.
#[derive(Debug, Serialize)]
pub struct SessionReport {
    /// Its id.
    pub id: SessionId,
    /// How it ended; none where it did not.
    pub result: Option<SessionResult>,
    /// What caused it.
    pub trigger: Trigger,
    /// Its runs in the order in which they began.
    pub handler_runs: Vec<SessionRun>,
}

/// A run of a session.
#[derive(Debug, Serialize)]
pub struct SessionRun {
    /// Its id.
    pub id: RunId,
    /// The handler's name.
    pub handler: String,
    /// Whether the handler is a producer or a consumer.
    pub kind: HandlerKind,
    /// How far it came.
    pub phase: Phase,
    /// How it ended.
    pub status: Status,
    /// Why it failed.
    pub error: Option<String>,
}

impl From<Run> for SessionRun {
    fn from(run: Run) -> Self {
        Self {
            id: run.id,
            handler: run.handler,
            kind: run.kind,
            phase: run.phase,
            status: run.status,
            error: run.error,
        }
    }
}

impl Service {
    /// Refuses to run a workflow that waits for a person. `times` says how instants are worded in the reason.
    ///
    /// # Errors
    /// [`ServiceError::WaitsForPerson`], and those of the store.
    pub async fn require_runnable(&self, workflow: WorkflowId, times: TimeFormat) -> Result<()> {
        let report = self.status(workflow, times).await?;
        self.scripts_of(&report.overview.workflow).await?;
        if !report.health.waits_for_person() {
            return Ok(());
        }
        let workflow = report.overview.workflow.name;
        Err(ServiceError::WaitsForPerson { workflow, why: report.health.why })
    }

    /// Begins a session of a workflow, given by name or id, which a worker takes. One that waits for a worker is joined. `times` says
    /// how instants are worded where it is refused.
    ///
    /// # Errors
    /// As [`require_runnable`](Self::require_runnable), and those of the store.
    pub async fn begin_session(&self, workflow: &str, times: TimeFormat) -> Result<SessionId> {
        let workflow = self.store.find_workflow(self.workspace, workflow).await?.id;
        self.require_runnable(workflow, times).await?;
        let (workspace, actor) = (self.workspace, self.actor.clone());
        Ok(self.store.start_session(StartSession { workspace, workflow, actor }).await?)
    }

    /// What a session did.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn session_report(&self, session: &Session) -> Result<SessionReport> {
        let runs = self.runs_of_session(session).await?;
        Ok(SessionReport {
            id: session.id,
            result: session.result,
            trigger: session.trigger,
            handler_runs: runs.into_iter().map(SessionRun::from).collect(),
        })
    }

    /// Whether a run or session may still log something.
    ///
    /// # Errors
    /// Those of the store, where there is no such run or session.
    pub async fn is_log_open(&self, of: LogSource) -> Result<bool> {
        Ok(match of {
            LogSource::Run(run) => self.store.run(self.workspace, run).await?.status.is_open(),
            LogSource::Session(session) => {
                self.store.session(self.workspace, session).await?.result.is_none()
            }
        })
    }
}
