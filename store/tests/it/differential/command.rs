//! What may happen to a store. Things are named by their place, counted back from the newest, so that one history means the same
//! to both sides.

use proptest::collection::vec;
use proptest::prelude::*;
use windlass_core::{Action, FailureClass, ResolutionKind};
use windlass_store::{Bump, EventAction};

use crate::differential::graphs::{GraphCommand, graph_command};

/// One step of a history.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    /// A script version is saved.
    Save { workflow: usize, script: usize, bump: Bump },
    /// A version is made the one that runs.
    Activate { workflow: usize, version: usize },
    /// A person controls a workflow.
    Control { workflow: usize, action: Action },
    /// A person begins a session.
    Start { workflow: usize },
    /// What is due is enqueued.
    EnqueueDue { limit: u32 },
    /// A worker takes runs.
    Claim { worker: usize, limit: u32, only: Option<usize> },
    /// A worker keeps its runs.
    Renew { newest: usize },
    /// Lost runs are recovered, those of a dead worker too.
    Recover { dead: Option<usize> },
    /// Time passes.
    Advance { seconds: u64 },
    /// A run does what comes next for it, or fails to.
    Work { claim: usize, how: How },
    /// A worker writes what may not fit its run at all.
    Write { claim: usize, write: Write, how: How },
    /// A person settles a doubt.
    Resolve { mutation: usize, verdict: ResolutionKind },
    /// What is due to be looked up is found, missed, or neither.
    LookUp { found: Option<bool> },
    /// A person decides about a parked event.
    SettleEvent { workflow: usize, action: EventAction },
    /// A person who knows of its effects, or of none, has a consumed event processed once more.
    Replay { workflow: usize, knows: bool },
    /// What has been over for so long is removed.
    Prune { seconds: u64 },
    /// A script's message to a person is entered.
    Message { mutation: usize },
    /// Something is done with a plan or a recorded plan.
    Graph(GraphCommand),
}

/// Everything that a worker can write to a run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Write {
    Prepare,
    Begin,
    Apply { mutation: usize },
    Fail { mutation: usize },
    Doubt { mutation: usize },
    CommitProducer,
    CommitConsumer,
    CommitNode,
    Stop,
}

/// The details of a step of a run.
#[derive(Debug, Clone)]
pub(crate) struct How {
    /// Which of the possible continuations.
    pub(crate) choice: u8,
    /// The numbers of the messages, inputs or events concerned.
    pub(crate) items: Vec<u8>,
    /// How it fails, where it fails.
    pub(crate) class: FailureClass,
    /// Whether the same worker takes the next run.
    pub(crate) goes_on: bool,
    /// In how many seconds a consumer wants to be woken.
    pub(crate) wake_in_s: Option<i64>,
}

/// A history: two workflows run, then anything may happen.
pub(crate) fn history() -> impl Strategy<Value = Vec<Command>> {
    let beginning = vec![
        Command::Save { workflow: 0, script: 0, bump: Bump::Major },
        Command::Activate { workflow: 0, version: 0 },
        Command::Save { workflow: 1, script: 1, bump: Bump::Major },
        Command::Activate { workflow: 1, version: 0 },
    ];
    vec(command(), 30..80).prop_map(move |rest| [beginning.clone(), rest].concat())
}

fn command() -> impl Strategy<Value = Command> {
    let workflow = || 0..3_usize;
    let mutation = || prop_oneof![4 => Just(0), 1 => 0..3_usize];
    prop_oneof![
        1 => (workflow(), 0..3_usize, prop_oneof![Just(Bump::Major), Just(Bump::Minor)])
            .prop_map(|(workflow, script, bump)| Command::Save { workflow, script, bump }),
        2 => (workflow(), 0..3_usize)
            .prop_map(|(workflow, version)| Command::Activate { workflow, version }),
        2 => (workflow(), any_of(Action::ALL))
            .prop_map(|(workflow, action)| Command::Control { workflow, action }),
        4 => workflow()
            .prop_map(|workflow| Command::Control { workflow, action: Action::Resume }),
        1 => workflow().prop_map(|workflow| Command::Start { workflow }),
        2 => (0..4_u32).prop_map(|limit| Command::EnqueueDue { limit }),
        3 => (0..2_usize, 0..3_u32, proptest::option::weighted(0.2, workflow()))
            .prop_map(|(worker, limit, only)| Command::Claim { worker, limit, only }),
        1 => (0..4_usize).prop_map(|newest| Command::Renew { newest }),
        2 => proptest::option::weighted(0.3, 0..2_usize).prop_map(|dead| Command::Recover { dead }),
        7 => prop_oneof![Just(0), 1..20_u64, 30..90_u64, 600..7_200_u64]
            .prop_map(|seconds| Command::Advance { seconds }),
        60 => (claim(), how()).prop_map(|(claim, how)| Command::Work { claim, how }),
        4 => (claim(), write(), how())
            .prop_map(|(claim, write, how)| Command::Write { claim, write, how }),
        5 => (mutation(), any_of(ResolutionKind::ALL))
            .prop_map(|(mutation, verdict)| Command::Resolve { mutation, verdict }),
        4 => proptest::option::of(any::<bool>()).prop_map(|found| Command::LookUp { found }),
        1 => (workflow(), prop_oneof![Just(EventAction::PutBack), Just(EventAction::Skip)])
            .prop_map(|(workflow, action)| Command::SettleEvent { workflow, action }),
        1 => (workflow(), any::<bool>())
            .prop_map(|(workflow, knows)| Command::Replay { workflow, knows }),
        1 => prop_oneof![Just(0), Just(600_u64)].prop_map(|seconds| Command::Prune { seconds }),
        1 => mutation().prop_map(|mutation| Command::Message { mutation }),
        30 => graph_command().prop_map(Command::Graph),
    ]
}

fn claim() -> impl Strategy<Value = usize> {
    prop_oneof![6 => Just(0), 2 => Just(1), 1 => 0..5_usize]
}

fn write() -> impl Strategy<Value = Write> {
    prop_oneof![
        Just(Write::Prepare),
        Just(Write::Begin),
        (0..2_usize).prop_map(|mutation| Write::Apply { mutation }),
        (0..2_usize).prop_map(|mutation| Write::Fail { mutation }),
        (0..2_usize).prop_map(|mutation| Write::Doubt { mutation }),
        Just(Write::CommitProducer),
        Just(Write::CommitConsumer),
        Just(Write::CommitNode),
        Just(Write::Stop),
    ]
}

fn how() -> impl Strategy<Value = How> {
    let items = prop_oneof![6 => vec(0..6_u8, 1..4), 1 => Just(Vec::new())];
    let wake =
        proptest::option::weighted(0.3, prop_oneof![Just(-5_i64), 10..100_i64, Just(90_000)]);
    let class = prop_oneof![Just(FailureClass::Network), any_of(FailureClass::ALL)];
    (any::<u8>(), items, class, any::<bool>(), wake).prop_map(
        |(choice, items, class, goes_on, wake_in_s)| How {
            choice,
            items,
            class,
            goes_on,
            wake_in_s,
        },
    )
}

fn any_of<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(all)
}
