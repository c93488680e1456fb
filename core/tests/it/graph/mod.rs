//! The rules of graphs under generated graphs and histories: crashes, lost answers, people who answer anything, and time.
//!
//! `world` is a store in memory that writes exactly what the rules decide; `check` is what must hold after every step.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test says what it relies on by failing"
)]

mod check;
mod draft;
mod scenarios;
mod world;

use proptest::prelude::*;
use windlass_core::ResolutionKind;
use windlass_core::graph::carry_over;

use crate::graph::draft::graph;
use crate::graph::world::{Step, World};

/// Performs one of the steps that may happen now.
fn any_step(world: &mut World, pick: u32) -> Step {
    let options = world.options();
    let step = options[usize::try_from(pick).expect("few") % options.len()];
    world.step(step);
    step
}

proptest! {
    #![proptest_config(ProptestConfig {
        // 512, unless `PROPTEST_CASES` asks for others.
        cases: ProptestConfig::default().cases * 2,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_invariant_holds_after_every_step(
        graph in graph(), is_held in prop::bool::weighted(0.2), picks in prop::collection::vec(any::<u32>(), 1..150),
    ) {
        let mut world = World::new(graph, is_held);
        let mut trail = Vec::new();
        for pick in picks {
            let before = world.clone();
            trail.push(any_step(&mut world, pick));
            if let Err(broken) = check::all(&before, &world) {
                prop_assert!(false, "{broken}\nafter {trail:?}\n{world:#?}");
            }
        }
    }

    /// After any history: once everybody does what he is asked, the run ends.
    #[test]
    fn every_history_ends_once_everything_goes_well(
        graph in graph(), picks in prop::collection::vec(any::<u32>(), 1..100), good in prop::collection::vec(any::<u32>(), 800),
    ) {
        let mut world = World::new(graph, true);
        for pick in picks {
            any_step(&mut world, pick);
        }
        let mut trail = Vec::new();
        for pick in good {
            if world.state.is_over {
                break;
            }
            world.state.is_paused = false;
            world.state.is_held = false;
            world.state.is_behind_another = false;
            world.go_on();
            let options: Vec<Step> = world.options().into_iter().filter(|step| goes_well(&world, *step)).collect();
            let step = options[usize::try_from(pick).expect("few") % options.len()];
            trail.push(step);
            let before = world.clone();
            world.step(step);
            if let Err(broken) = check::all(&before, &world) {
                prop_assert!(false, "{broken}\nafter {trail:?}\n{world:#?}");
            }
        }
        prop_assert!(world.state.is_over, "it does not end: {trail:?}\n{world:#?}");
    }

    /// What a new run takes over has the same contract, and nothing of the old run changes.
    #[test]
    fn a_carried_node_has_the_same_contract(
        graph in graph(), picks in prop::collection::vec(any::<u32>(), 1..60), changed in 0_usize..8,
    ) {
        let mut world = World::new(graph, false);
        for pick in picks {
            any_step(&mut world, pick);
        }
        world.load_effects();
        let all = carry_over((&world.graph, &world.state), &world.graph);
        let finished = world.state.nodes.iter().filter(|node| node.status.has_result()).count();
        prop_assert_eq!(all.iter().filter(|carried| carried.state.status.has_result()).count(), finished);

        let mut other = serde_json::to_value(&world.graph).expect("JSON");
        let changed = changed % world.graph.nodes.len();
        other["nodes"][changed]["objective"] = "another".into();
        let other = draft::compiled(other);
        for carried in carry_over((&world.graph, &world.state), &other) {
            let [from, to] = [&world.graph.nodes[carried.from], &other.nodes[carried.to]];
            prop_assert_eq!(&from.contract, &to.contract);
            prop_assert!(carried.from != changed, "a node whose contract changed was carried over");
            prop_assert_eq!(&from.upstream_node_ids, &to.upstream_node_ids);
        }
    }
}

/// Whether a step helps the run to its end.
fn goes_well(world: &World, step: Step) -> bool {
    match step {
        Step::Tick | Step::Claim(_) | Step::Prepare(_) | Step::Apply(_) | Step::Commit(_, true) => {
            true
        }
        Step::Begin(_) | Step::Submit(_, 0) | Step::Answer(_, 0) | Step::Resume(true) => true,
        Step::Resolve(_, how) => how != ResolutionKind::Skip,
        // Nothing but a person's word repeats an effect.
        Step::Restart(node, _, repeats) => {
            let state = world.state.node(node);
            repeats && state.blocked_reason.is_some()
        }
        _ => false,
    }
}
