//! What can be done to the world.

use proptest::prelude::*;
use windlass_core::{Action, FailureClass, Recourse, ResolutionKind};

/// One thing that the scheduler, a script, the outside world, a crash or a person does.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    /// Time passes.
    Wait { seconds: u64 },
    /// The scheduler polls for what is due.
    Enqueue,
    /// A worker takes the queued run.
    Claim,
    /// `prepare` returns.
    Prepare { reserves: usize, wakes: bool },
    /// `mutate` makes its call, which the outside world executes or does not.
    BeginMutation { happens: bool },
    /// The answer arrives, if the call was executed.
    Apply,
    /// A definite refusal arrives, if it was not.
    Fail { class: FailureClass },
    /// The same, of a consumer that goes on with it.
    Refuse,
    /// No answer arrives.
    Doubt { recourse: Recourse },
    /// The run commits. A producer publishes new events, and again those that overlap with its last poll.
    Commit { publishes: usize, repeats: usize },
    /// The current phase fails. A `prepare` was given that many events before.
    Stop { class: FailureClass, seen: usize },
    /// The worker dies.
    Crash { recourse: Recourse },
    /// A person settles a doubt, truthfully or not.
    Resolve { verdict: ResolutionKind },
    /// The tool looks the effect up, and gets the true answer.
    Reconcile,
    /// The tool could not look it up, and tried for the last time.
    GiveUpLookup,
    /// A person requeues a parked event, or skips it.
    Unpark { skip: bool },
    /// A person has the first consumed event processed once more.
    Replay,
    /// A person changes the workflow's status.
    Control { action: Action },
}

/// Any command. Those of an ordinary run are more frequent.
pub(crate) fn command() -> impl Strategy<Value = Command> {
    let class = prop::sample::select(FailureClass::ALL);
    let recourse = prop::sample::select(Recourse::ALL);
    prop_oneof![
        2 => (0_u64..400).prop_map(|seconds| Command::Wait { seconds }),
        6 => Just(Command::Enqueue),
        8 => Just(Command::Claim),
        8 => (0_usize..3, any::<bool>()).prop_map(|(reserves, wakes)| Command::Prepare { reserves, wakes }),
        6 => any::<bool>().prop_map(|happens| Command::BeginMutation { happens }),
        4 => Just(Command::Apply),
        2 => class.clone().prop_map(|class| Command::Fail { class }),
        2 => Just(Command::Refuse),
        2 => recourse.clone().prop_map(|recourse| Command::Doubt { recourse }),
        8 => (0_usize..3, 0_usize..3)
            .prop_map(|(publishes, repeats)| Command::Commit { publishes, repeats }),
        3 => (class, 0_usize..4).prop_map(|(class, seen)| Command::Stop { class, seen }),
        3 => recourse.prop_map(|recourse| Command::Crash { recourse }),
        2 => prop::sample::select(ResolutionKind::ALL).prop_map(|verdict| Command::Resolve { verdict }),
        1 => Just(Command::Reconcile),
        1 => Just(Command::GiveUpLookup),
        1 => any::<bool>().prop_map(|skip| Command::Unpark { skip }),
        1 => Just(Command::Replay),
        2 => prop::sample::select(Action::ALL).prop_map(|action| Command::Control { action }),
    ]
}
