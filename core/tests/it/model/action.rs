//! What can happen in the model, and the guards that keep it correct.

/// A guard that keeps the model correct. The tests remove one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// The store accepts writes only under the newest claim of an active run.
    Fence,
    /// Before a worker sends a request, it checks that its lease is still safe.
    LastCheck,
    /// The ledger row is written before the request is sent.
    LedgerFirst,
    /// A missing answer does not prove that the effect did not happen.
    Doubt,
    /// A missing effect proves that it did not happen only when no request can be under way any more.
    Absence,
    /// A run is recovered only if its lease has ended, or the process of its worker.
    Expiry,
    /// For a worker, less than the whole lease is safe.
    Margin,
    /// The safe time counts from before the request to the store, not from its answer.
    RequestTime,
    /// A worker that stops hands back no run whose request may still be sent.
    HandBack,
    /// Some worker recovers runs whose lease has ended.
    Rescue,
}

/// One event in the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// A tick of time passes. The clock of one worker may lose it.
    Tick { slow: Option<usize> },
    /// Any worker recovers the run of a lost one.
    Recover,
    /// Any worker looks an effect in doubt up.
    LookUp,
    /// The service executes a request.
    Execute,
    /// A worker takes a step. It may be frozen between any two steps for any time.
    By(usize, Step),
}

/// What a worker does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It claims a run or renews its lease.
    Lease(LeaseStep),
    /// It checks its lease a last time, and sends the request.
    Send,
    /// It writes its progress.
    Report(Report),
    /// It stops and hands its run back.
    HandBack,
    /// It gives the run up without writing anything.
    GiveUp,
    /// Its process ends.
    Crash,
}

/// How a worker gets a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaseStep {
    /// It requests a run, or a renewal. An earlier request is dropped.
    Request,
    /// The store gives it the run, and it receives the answer.
    Claim,
    /// The store renews its lease.
    Renew,
    /// It receives the renewal.
    ReceiveRenewal,
}

/// What a worker writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// `prepare` returned.
    Prepared,
    /// The ledger row.
    MutationBegun,
    /// The last check of its lease failed, and it sent nothing.
    TooLate,
    /// The answer, or an immediate look-up, says that the effect happened.
    Applied,
    /// The answer says that the effect did not and will not happen.
    Refused,
    /// The same, of a consumer that goes on with it.
    RefusedAndGoesOn,
    /// There was no answer.
    Unanswered,
    /// `next` returned.
    Done,
}

const STEPS: [Step; 16] = [
    Step::Lease(LeaseStep::Request),
    Step::Lease(LeaseStep::Claim),
    Step::Lease(LeaseStep::Renew),
    Step::Lease(LeaseStep::ReceiveRenewal),
    Step::Send,
    Step::Report(Report::Prepared),
    Step::Report(Report::MutationBegun),
    Step::Report(Report::TooLate),
    Step::Report(Report::Applied),
    Step::Report(Report::Refused),
    Step::Report(Report::RefusedAndGoesOn),
    Step::Report(Report::Unanswered),
    Step::Report(Report::Done),
    Step::HandBack,
    Step::GiveUp,
    Step::Crash,
];

impl Action {
    /// All possible events.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Self::Recover, Self::LookUp, Self::Execute];
        all.extend([None, Some(0), Some(1)].map(|slow| Self::Tick { slow }));
        all.extend([0, 1].into_iter().flat_map(|by| STEPS.map(|step| Self::By(by, step))));
        all
    }

    /// Whether it still happens if the first worker is frozen for ever and nothing else fails.
    pub(crate) fn helps(self) -> bool {
        match self {
            Self::Tick { .. } | Self::Recover | Self::LookUp | Self::Execute => true,
            Self::By(by, Step::Lease(_) | Step::Send | Step::Report(_)) => by != 0,
            Self::By(_, Step::HandBack | Step::GiveUp | Step::Crash) => false,
        }
    }
}
