//! What can be asked of Windlass and done with it, without a terminal.
//!
//! [`service`] has the operations. A [`Service`](service::Service) is an open store, a workspace in it and the person who acts;
//! its methods return typed values that serialise to JSON. A front end, such as the command line or the server for agents ([`mcp`]),
//! parses what is wanted, calls one operation, and words the answer. Advice is data ([`service::NextStep`]): only the front end knows
//! which command does it.
//!
//! # How the modules fit
//! ```text
//! service/
//!   handle.rs       what every operation is given: the store, the workspace, the person
//!   status.rs       a workflow with everything that is known of it now
//!   health.rs       judges from that whether it works, waits or needs a person (health/: the word for it, doubts, the queue)
//!   advice.rs       the steps that a judgement recommends
//!   check.rs        validates a script
//!   deploy.rs       saves a script as a version, with what it may call
//!   dry_run.rs      runs a copy of a workflow whose effects are captured (dry_run/copy.rs makes the copy)
//!   session.rs      what a session did, and whether one may begin
//!   settle.rs       settles a mutation in doubt or a parked event
//!   control.rs      activates, pauses, resumes, archives, routes and limits
//!   plans.rs        begins, replaces, reads and steers plans (plans/: drafts, views, answers, lists)
//!   approvals.rs    what plans ask people, and their answers
//!   workspaces.rs   what a person decides for a workspace
//!   access.rs       tokens, and links that sign people in
//!   journal/        records what agents plan and do with tools of their own
//!   records.rs      lists events, inputs, outputs, runs and notifications
//!   details.rs      everything about one thing, by its id
//!   instance.rs     lists workflows and workers, removes old records
//!   examination.rs  checks the disk, V8 and the clock
//!   versions.rs     the versions of a script, and how two of them differ
//!   error.rs        why an operation cannot be done
//! http/             serves programs and browsers
//! pages/            the pages for people
//! mcp/              serves agents over the Model Context Protocol
//! metrics/          numbers for Prometheus: what this process did, and what is open
//! text.rs           instants, durations, cropped lines and the nearest known word, for a person
//! ```
//!
//! # What it does not do
//! It prints nothing, reads no configuration and no environment, and names no command.

pub mod http;
pub mod mcp;
pub mod metrics;
mod pages;
pub mod service;
pub mod text;
