//! Kills a real process at every boundary it passes, starts it again, and looks at what is left.
//!
//! The points are not listed here: a first process writes down each one it passes, and then one process after another dies at
//! the first, the second, the third. Whatever the point, the restarted process must reach what an undisturbed one reaches, or
//! one question for a person; and the outside world, a file or a server that counts, must have seen each effect once.

#![expect(clippy::unwrap_used, reason = "a test says what it relies on by failing")]
#![expect(
    clippy::print_stderr,
    reason = "a test that goes by a seed says which one, and what it came to"
)]

mod counting_server;
mod deployment;
mod lost;
mod plans;
mod request;
mod steering;
mod tools;
mod unreliable_server;

use std::collections::BTreeSet;

use crate::crash::counting_server::CountingServer;
use crate::crash::deployment::{Database, Deployment};

/// Mails that exercise every path: an amount over the limit, one below, none, and one that comes twice.
const MAILS: [&str; 4] = ["02", "03", "10", "13"];

#[test]
fn crash_anywhere_in_the_receipts_on_sqlite() {
    receipts(Database::Sqlite);
}

#[test]
fn crash_anywhere_in_the_receipts_on_postgres() {
    receipts(Database::Postgres);
}

#[test]
fn crash_anywhere_around_a_request_that_nobody_can_look_up_on_sqlite() {
    requests(Database::Sqlite);
}

#[test]
fn crash_anywhere_around_a_request_that_nobody_can_look_up_on_postgres() {
    requests(Database::Postgres);
}

/// Files and notifications can be looked up: every crash converges by itself.
fn receipts(database: Database) {
    let Some(deployed) = Deployment::receipts(database, &MAILS) else { return };
    let undisturbed = deployed.copy();
    let points = undisturbed.run_traced();
    let expected = (undisturbed.lines("out/receipts.csv"), undisturbed.statuses());
    assert!(
        expected.0.len() == 2 && !expected.1.is_empty(),
        "the receipts do nothing: {expected:?}"
    );
    assert_reaches(
        &points,
        &["commit_producer", "checkpoint_prepare", "begin_mutation", "Files.append", "User.notify"],
    );

    let mut kills = Kills::default();
    for (idx, point) in points.iter().enumerate() {
        let deployment = deployed.copy();
        kills.count(deployment.run_killed_at(idx + 1));
        deployment.run_to_rest();

        let reached = (deployment.lines("out/receipts.csv"), deployment.statuses());
        assert_eq!(reached, expected, "killed at point {}, {point}", idx + 1);
    }
    kills.assert_most();
}

/// A request without a way to look it up: either it is known what happened, or one person is asked one question.
fn requests(database: Database) {
    let counter = CountingServer::start();
    let Some(deployed) = Deployment::requests(database, &counter) else { return };
    let undisturbed = deployed.copy();
    let points = undisturbed.run_traced();
    assert_eq!(counter.take(), 1);
    assert_reaches(&points, &["Http.post.before", "Http.post.after", "apply_mutation"]);

    let mut questions = 0;
    let mut kills = Kills::default();
    for (idx, point) in points.iter().enumerate() {
        let deployment = deployed.copy();
        kills.count(deployment.run_killed_at(idx + 1));
        deployment.run_to_rest();
        let asked = deployment.in_doubt();
        let happened = counter.count();
        assert!(happened <= 1, "the request was sent again on its own, killed at {point}");
        if let [mutation] = asked.as_slice() {
            questions += 1;
            deployment.resolve(mutation, if happened == 1 { "--skip" } else { "--did-not-happen" });
            deployment.run_to_rest();
        }

        assert_eq!(counter.take(), 1, "killed at point {}, {point}", idx + 1);
        assert_eq!(deployment.in_doubt(), Vec::<String>::new());
        let open: Vec<_> = deployment
            .statuses()
            .into_iter()
            .filter(|(_, status)| status != "consumed" && status != "skipped")
            .collect();
        assert_eq!(open, [], "killed at point {}, {point}", idx + 1);
    }
    kills.assert_most();
    assert!(questions > 0, "no crash fell between the request and its answer");
}

/// How many processes died at the point they were meant to die at.
#[derive(Debug, Default)]
struct Kills {
    killed: usize,
    ended: usize,
}

impl Kills {
    fn count(&mut self, is_killed: bool) {
        *if is_killed { &mut self.killed } else { &mut self.ended } += 1;
    }

    /// The last few points of a trace may not be passed again, when the machine is less busy.
    fn assert_most(&self) {
        assert!(self.killed > 9 * self.ended, "{self:?}");
    }
}

/// A matrix that misses a boundary proves nothing of it.
fn assert_reaches(points: &[String], names: &[&str]) {
    let missed: BTreeSet<_> =
        names.iter().filter(|name| !points.iter().any(|point| point.contains(**name))).collect();
    assert!(missed.is_empty(), "never passed: {missed:?} in {points:#?}");
}
