//! What the store remembers, as plain records. They serialise to the JSON that the command line prints.

mod agenda;
mod credential;
mod graph;
mod ledger;
mod notification;
mod open_work;
mod run;
mod worker;
mod workflow;

pub use agenda::Agenda;
pub use credential::{Credential, GoodCredential};
pub use graph::{
    Approval, Artifact, Attempt, DeletedExecutions, GraphRun, GraphRuns, GraphVersion, GraphView,
    NodeRun, RecordedPlan, SettledApproval, StartedGraph, SteeredGraph, SubmittedNode,
};
pub use ledger::{
    BegunMutation, Event, EventRounds, Input, InputStatus, Mutation, Round, SettledEvents,
};
pub use notification::{Delivery, DueDelivery, JournalEntry, Notification, NotificationKind};
pub use open_work::{OpenWork, WorkflowMarks};
pub use run::{
    Claim, ClaimedRun, Committed, DueLookup, LogEntry, RecoveredRun, Run, Session, TrialRun,
};
pub use worker::{HeartbeatAnswer, LeaseRenewal, Limit, LimitHolder, Worker};
pub use workflow::{
    EventCounts, HandlerState, SavedScript, ScriptVersion, Workflow, WorkflowOverview, Workspace,
};
