//! The workers that see it when the database's clock is set: those that have read it before, and read it again.

use crate::database::WORKERS;
use crate::gate::{Point, Ticket};

/// Who has read the clock, and how often since it was last set.
#[derive(Debug, Default)]
pub(crate) struct Witnesses {
    have_read: [bool; WORKERS],
    n_reads: [u32; WORKERS],
}

impl Witnesses {
    /// A worker that starts knows nothing of the clock.
    pub(crate) fn started(&mut self, worker: usize) {
        self.have_read[worker] = false;
    }

    /// The clock is set.
    pub(crate) fn clock_stepped(&mut self) {
        self.n_reads = [0; WORKERS];
    }

    /// A worker is released. Says whether the last step is reported by now: one heartbeat sees it, and the next one reports it.
    pub(crate) fn released(&mut self, ticket: Ticket) -> bool {
        if ticket.point != Point::After("heartbeat") {
            return false;
        }
        let had_read = std::mem::replace(&mut self.have_read[ticket.worker], true);
        let n_reads = &mut self.n_reads[ticket.worker];
        *n_reads += u32::from(had_read);
        *n_reads == 2
    }
}
