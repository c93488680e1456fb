//! What can happen in the model, and what keeps it in order.

/// What keeps the world in order; the tests remove one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// The store writes only what the holder of the newest claim on an active run asks for.
    Fence,
    /// Before a request leaves, its worker looks whether it still trusts its lease.
    LastLook,
    /// The ledger row is written before the request leaves.
    LedgerFirst,
    /// A missing answer proves nothing.
    Doubt,
    /// A missing effect proves something only once no request can be on its way any more.
    Absence,
    /// A run is taken only from a worker whose lease has ended, or whose process has.
    Expiry,
    /// A worker trusts less than the whole lease.
    Margin,
    /// Trust counts from before the store was asked, not from its answer.
    AskedAt,
    /// A worker that leaves hands back nothing that may still be sent.
    HandBack,
    /// Somebody looks for runs whose lease has ended.
    Rescue,
}

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Time passes, unnoticed by the clock of one worker perhaps.
    Tick { slow: Option<usize> },
    /// Anyone takes the run from a worker that is lost.
    Recover,
    /// Anyone looks an effect in doubt up.
    LookUp,
    /// A request is obeyed.
    Obey,
    /// A worker goes on. It may be frozen between any two of its steps, for as long as it likes.
    By(usize, Step),
}

/// What a worker does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It comes by time to work.
    Time(Time),
    /// It has a last look, and the request leaves.
    Send,
    /// It writes how far it has come.
    Report(Report),
    /// It stops and hands back.
    Leave,
    /// It drops the run without a word.
    GiveUp,
    /// Its process ends.
    Crash,
}

/// How a worker comes by time to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    /// It asks for a run, or for more time with the one it has. What it asked before is lost.
    Ask,
    /// The store gives it the run, and it hears so.
    Claim,
    /// The store gives it more time.
    Renew,
    /// It hears of that.
    Hear,
}

/// What a worker writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// `prepare` returned.
    Prepared,
    /// The ledger row.
    Begun,
    /// The last look told it not to send.
    TooLate,
    /// The answer, or a look at once, says that the effect is there.
    Applied,
    /// The answer says that it is not and will not be.
    Refused,
    /// There was no answer.
    Unanswered,
    /// `next` returned.
    Done,
}

const STEPS: [Step; 15] = [
    Step::Time(Time::Ask),
    Step::Time(Time::Claim),
    Step::Time(Time::Renew),
    Step::Time(Time::Hear),
    Step::Send,
    Step::Report(Report::Prepared),
    Step::Report(Report::Begun),
    Step::Report(Report::TooLate),
    Step::Report(Report::Applied),
    Step::Report(Report::Refused),
    Step::Report(Report::Unanswered),
    Step::Report(Report::Done),
    Step::Leave,
    Step::GiveUp,
    Step::Crash,
];

impl Action {
    /// Everything that may ever happen.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Self::Recover, Self::LookUp, Self::Obey];
        all.extend([None, Some(0), Some(1)].map(|slow| Self::Tick { slow }));
        all.extend([0, 1].into_iter().flat_map(|by| STEPS.map(|step| Self::By(by, step))));
        all
    }

    /// Whether it still happens where the first worker is frozen for ever and nothing else goes wrong.
    pub(crate) fn helps(self) -> bool {
        match self {
            Self::Tick { .. } | Self::Recover | Self::LookUp | Self::Obey => true,
            Self::By(by, Step::Time(_) | Step::Send | Step::Report(_)) => by != 0,
            Self::By(_, Step::Leave | Step::GiveUp | Step::Crash) => false,
        }
    }
}
