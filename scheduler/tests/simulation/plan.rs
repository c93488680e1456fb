//! The planned faults of a history: random choices alone would seldom reach the rare points.

use crate::environment::Scenario;
use crate::gate::{Point, Ticket};
use crate::rng::Rng;
use crate::services::ServiceKind;

/// The operations of the store that workers use.
pub(crate) const OPERATIONS: [&str; 14] = [
    "recover_runs",
    "claim_lookups",
    "enqueue_due",
    "claim_runs",
    "heartbeat",
    "checkpoint_prepare",
    "begin_mutation",
    "apply_mutation",
    "fail_mutation",
    "doubt_mutation",
    "settle_lookup",
    "stop_run",
    "commit_producer",
    "commit_consumer",
];

/// Those that are called again if their answer is lost.
const STEPS: [&str; 8] = [
    "checkpoint_prepare",
    "begin_mutation",
    "apply_mutation",
    "fail_mutation",
    "doubt_mutation",
    "stop_run",
    "commit_producer",
    "commit_consumer",
];

/// Faults that wait for a worker at their point. Each happens once.
#[derive(Debug)]
pub(crate) struct Plan {
    crashes: Vec<Point>,
    freezes: Vec<Point>,
    delays: Vec<Point>,
    /// Answers of the store that are lost.
    losses: Vec<Point>,
    /// Whether somebody sets the database's clock now and then.
    pub(crate) clock_steps: bool,
}

impl Plan {
    pub(crate) fn draw(rng: &mut Rng, scenario: Scenario) -> Self {
        let mut some =
            |count| (0..count).map(|_| in_scenario(random_point(rng), scenario)).collect();
        let (crashes, mut freezes, delays): (_, Vec<Point>, _) = (some(3), some(3), some(2));
        if rng.chance(40) {
            freezes.push(Point::Commit(*rng.pick(&ServiceKind::ALL).unwrap()));
        }
        let losses = (0..3)
            .map(|_| in_scenario(Point::After(rng.pick(&STEPS).unwrap()), scenario))
            .collect();
        Self { crashes, freezes, delays, losses, clock_steps: rng.chance(50) }
    }

    /// Whether a fault waits at that point.
    pub(crate) fn has_fault_at(&self, point: Point) -> bool {
        let points = [&self.crashes, &self.freezes, &self.delays, &self.losses];
        points.iter().any(|points| points.contains(&point))
    }

    /// The worker that crashes now.
    pub(crate) fn crash_at(&mut self, tickets: &[Ticket]) -> Option<Ticket> {
        take_fault(&mut self.crashes, tickets)
    }

    /// The worker that is slow now, without being frozen.
    pub(crate) fn delay_at(&mut self, tickets: &[Ticket]) -> Option<Ticket> {
        take_fault(&mut self.delays, tickets)
    }

    /// The worker that loses the store's answer now.
    pub(crate) fn lose_at(&mut self, tickets: &[Ticket]) -> Option<Ticket> {
        take_fault(&mut self.losses, tickets)
    }

    /// The worker that freezes now.
    pub(crate) fn freeze_at(&mut self, tickets: &[Ticket]) -> Option<Ticket> {
        take_fault(&mut self.freezes, tickets)
    }
}

/// Where plans are run, nodes are committed instead of handlers.
fn in_scenario(mut point: Point, scenario: Scenario) -> Point {
    if let Point::Before(operation) | Point::After(operation) = &mut point
        && scenario.has_plans()
        && matches!(*operation, "commit_producer" | "commit_consumer")
    {
        *operation = "commit_node";
    }
    point
}

fn random_point(rng: &mut Rng) -> Point {
    let kind = *rng.pick(&ServiceKind::ALL).unwrap();
    let operation = *rng.pick(&OPERATIONS).unwrap();
    match rng.below(100) {
        0..10 => Point::After("begin_mutation"),
        10..32 => Point::Before(operation),
        32..65 => Point::After(operation),
        65..71 => Point::Commit(kind),
        71..78 => Point::SendRequest(kind),
        78..88 => Point::ReceiveAnswer(kind),
        88..94 => Point::StartLookup(kind),
        _ => Point::FinishLookup(kind),
    }
}

fn take_fault(points: &mut Vec<Point>, tickets: &[Ticket]) -> Option<Ticket> {
    let (index, ticket) = points.iter().enumerate().find_map(|(index, point)| {
        let ticket = tickets.iter().find(|ticket| ticket.point == *point)?;
        Some((index, *ticket))
    })?;
    points.swap_remove(index);
    Some(ticket)
}
