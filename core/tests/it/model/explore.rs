//! The search: every world that can come about, breadth first, so that the shortest way to a broken property is found.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::model::action::{Action, Guard};
use crate::model::world::World;

/// Something that must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Property {
    /// The operation has one effect outside at most.
    OneEffect,
    /// It is committed once at most.
    OneCommit,
    /// The store takes it for done, and commits it, only if the effect is there.
    NoEmptyCommit,
    /// A write under a claim that is lost changes nothing.
    LostClaimsWriteNothing,
    /// No two workers are sure of the run at the same time.
    OneAtWork,
    /// A run is never recovered from a worker that is sure of it.
    NothingTakenFromTheLiving,
    /// Whatever happened: with one worker frozen for ever, the other can still bring the operation to its end.
    AlwaysAWayOut,
}

impl Property {
    pub(crate) const ALL: [Self; 7] = [
        Self::OneEffect,
        Self::OneCommit,
        Self::NoEmptyCommit,
        Self::LostClaimsWriteNothing,
        Self::OneAtWork,
        Self::NothingTakenFromTheLiving,
        Self::AlwaysAWayOut,
    ];

    fn is_broken_by(self, before: &World, action: Action, after: &World) -> bool {
        match self {
            Self::OneEffect => after.effects() > 1,
            Self::OneCommit => after.commits() > 1,
            Self::NoEmptyCommit => after.is_known_to_have_happened() && after.effects() == 0,
            Self::LostClaimsWriteNothing => {
                matches!(action, Action::By(by, _) if before.has_lost_its_run(by))
                    && !after.has_same_store(before)
            }
            Self::OneAtWork => after.n_at_work() > 1,
            Self::NothingTakenFromTheLiving => action == Action::Recover && before.n_at_work() > 0,
            // Of the whole search, not of one step.
            Self::AlwaysAWayOut => false,
        }
    }
}

/// What a search came to.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) n_worlds: usize,
    /// What happened in none of them.
    pub(crate) never: Vec<Action>,
    /// What is broken, and what has to happen for that.
    pub(crate) broken: Option<(Property, Vec<Action>)>,
}

/// How a world was reached first: from which, by what.
type Way = Option<(usize, Action)>;

/// Looks for a way to break one of `properties` where a guard is `removed`.
pub(crate) fn search(properties: &[Property], removed: Option<Guard>) -> Search {
    let (mut worlds, mut ways): (Vec<World>, Vec<Way>) = (vec![World::new()], vec![None]);
    let mut known = HashMap::from([(World::new(), 0)]);
    let mut helping = Vec::new();
    let actions = Action::all();
    let mut never = actions.clone();
    let mut at = 0;
    while let Some(before) = worlds.get(at).cloned() {
        for &action in &actions {
            let Some(after) = before.after(action, removed) else { continue };
            never.retain(|it| *it != action);
            let broken = properties.iter().find(|it| it.is_broken_by(&before, action, &after));
            if let Some(&property) = broken {
                let path = path(&ways, Some((at, action)));
                return Search { n_worlds: worlds.len(), never, broken: Some((property, path)) };
            }
            let to = match known.entry(after) {
                Entry::Occupied(entry) => *entry.get(),
                Entry::Vacant(entry) => {
                    worlds.push(entry.key().clone());
                    ways.push(Some((at, action)));
                    *entry.insert(worlds.len() - 1)
                }
            };
            if action.helps() {
                helping.push((to, at));
            }
        }
        at += 1;
    }
    let lost = properties.contains(&Property::AlwaysAWayOut).then(|| dead_end(&worlds, helping));
    let broken = lost.flatten().map(|lost| (Property::AlwaysAWayOut, path(&ways, ways[lost])));
    Search { n_worlds: worlds.len(), never, broken }
}

/// The first world from which no helping step leads to the end; `helping` says from which world each can be reached.
fn dead_end(worlds: &[World], mut helping: Vec<(usize, usize)>) -> Option<usize> {
    helping.sort_unstable();
    let mut open: Vec<usize> = (0..worlds.len()).filter(|&at| worlds[at].is_over()).collect();
    let mut has_way_out = vec![false; worlds.len()];
    while let Some(at) = open.pop() {
        if !std::mem::replace(&mut has_way_out[at], true) {
            let begin = helping.partition_point(|&(to, _)| to < at);
            let before = helping[begin..].iter().take_while(|&&(to, _)| to == at);
            open.extend(before.map(|&(_, from)| from).filter(|&from| !has_way_out[from]));
        }
    }
    has_way_out.iter().position(|has| !has)
}

fn path(ways: &[Way], mut last: Way) -> Vec<Action> {
    let mut path = Vec::new();
    while let Some((from, action)) = last {
        path.push(action);
        last = ways[from];
    }
    path.reverse();
    path
}
