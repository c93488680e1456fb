//! Where a history wants its faults: chance alone would seldom meet the rare places.

use crate::gate::{Point, Ticket};
use crate::outside::Nature;
use crate::rng::Rng;

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

/// Those that are called again where their answer is lost, for what they tell must not be.
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

/// Faults that wait for their place; each strikes once.
#[derive(Debug)]
pub(crate) struct Plan {
    crashes: Vec<Point>,
    freezes: Vec<Point>,
    dawdles: Vec<Point>,
    /// Answers of the store that are lost.
    losses: Vec<Point>,
}

impl Plan {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let mut some = |count| (0..count).map(|_| place(rng)).collect();
        let (crashes, freezes, dawdles) = (some(3), some(3), some(2));
        let losses = (0..3).map(|_| Point::After(rng.pick(&STEPS).unwrap())).collect();
        Self { crashes, freezes, dawdles, losses }
    }

    /// Whether a fault waits for whoever comes there.
    pub(crate) fn strikes_at(&self, point: Point) -> bool {
        let places = [&self.crashes, &self.freezes, &self.dawdles, &self.losses];
        places.iter().any(|places| places.contains(&point))
    }

    /// Who crashes now.
    pub(crate) fn crash_at(&mut self, tickets: &[Ticket]) -> Option<Ticket> {
        strike(&mut self.crashes, tickets)
    }

    /// Who takes its time now, and knows it.
    pub(crate) fn dawdle_at(&mut self, tickets: &[Ticket]) -> Option<Ticket> {
        strike(&mut self.dawdles, tickets)
    }

    /// Who does not hear the store's answer now.
    pub(crate) fn lose_at(&mut self, tickets: &[Ticket]) -> Option<Ticket> {
        strike(&mut self.losses, tickets)
    }

    /// Who freezes now.
    pub(crate) fn freeze_at(&mut self, tickets: &[Ticket]) -> Option<Ticket> {
        strike(&mut self.freezes, tickets)
    }
}

fn place(rng: &mut Rng) -> Point {
    let nature = *rng.pick(&Nature::ALL).unwrap();
    let operation = *rng.pick(&OPERATIONS).unwrap();
    match rng.below(100) {
        0..10 => Point::After("begin_mutation"),
        10..32 => Point::Before(operation),
        32..65 => Point::After(operation),
        65..78 => Point::Leaves(nature),
        78..88 => Point::Answers(nature),
        88..94 => Point::LooksUp(nature),
        _ => Point::LookedUp(nature),
    }
}

fn strike(places: &mut Vec<Point>, tickets: &[Ticket]) -> Option<Ticket> {
    let (index, ticket) = places.iter().enumerate().find_map(|(index, point)| {
        let ticket = tickets.iter().find(|ticket| ticket.point == *point)?;
        Some((index, *ticket))
    })?;
    places.swap_remove(index);
    Some(ticket)
}
