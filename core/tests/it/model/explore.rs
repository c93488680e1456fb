//! The search: visits every reachable world, breadth first, so that it finds the shortest path to a broken property.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::model::action::{Action, Guard};
use crate::model::world::World;

/// Something that must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Property {
    /// The operation has at most one effect outside.
    OneEffect,
    /// It is committed at most once.
    OneCommit,
    /// The store records the effect, and commits, only if the effect happened, and goes on with a refusal only if it did not.
    NoEmptyCommit,
    /// A write under a lost claim changes nothing.
    LostClaimsWriteNothing,
    /// At most one worker at a time has a safe lease.
    OneWorker,
    /// A run is never recovered while a worker has a safe lease of it.
    NoRecoveryFromALivingWorker,
    /// In every world: if one worker is frozen for ever, the other can still finish the operation.
    CanAlwaysFinish,
}

impl Property {
    pub(crate) const ALL: [Self; 7] = [
        Self::OneEffect,
        Self::OneCommit,
        Self::NoEmptyCommit,
        Self::LostClaimsWriteNothing,
        Self::OneWorker,
        Self::NoRecoveryFromALivingWorker,
        Self::CanAlwaysFinish,
    ];

    fn is_broken_by(self, before: &World, action: Action, after: &World) -> bool {
        match self {
            Self::OneEffect => after.effects() > 1,
            Self::OneCommit => after.commits() > 1,
            Self::NoEmptyCommit => {
                let is_empty = after.is_known_to_have_happened() && after.effects() == 0;
                is_empty || (after.goes_on_refused() && after.effects() > 0)
            }
            Self::LostClaimsWriteNothing => {
                matches!(action, Action::By(by, _) if before.has_lost_its_run(by))
                    && !after.has_same_store(before)
            }
            Self::OneWorker => after.n_working() > 1,
            Self::NoRecoveryFromALivingWorker => {
                action == Action::Recover && before.n_working() > 0
            }
            // A property of the whole search, not of one step.
            Self::CanAlwaysFinish => false,
        }
    }
}

/// The result of a search.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) n_worlds: usize,
    /// The actions that happened in no world.
    pub(crate) never: Vec<Action>,
    /// The broken property, and the actions that lead to it.
    pub(crate) broken: Option<(Property, Vec<Action>)>,
}

/// How a world was reached first: from which world, by which action.
type Predecessor = Option<(usize, Action)>;

/// Searches for a path that breaks one of `properties` while a guard is `removed`.
pub(crate) fn search(properties: &[Property], removed: Option<Guard>) -> Search {
    let (mut worlds, mut predecessors): (Vec<World>, Vec<Predecessor>) =
        (vec![World::new()], vec![None]);
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
                let path = path(&predecessors, Some((at, action)));
                return Search { n_worlds: worlds.len(), never, broken: Some((property, path)) };
            }
            let to = match known.entry(after) {
                Entry::Occupied(entry) => *entry.get(),
                Entry::Vacant(entry) => {
                    worlds.push(entry.key().clone());
                    predecessors.push(Some((at, action)));
                    *entry.insert(worlds.len() - 1)
                }
            };
            if action.helps() {
                helping.push((to, at));
            }
        }
        at += 1;
    }
    let lost = properties.contains(&Property::CanAlwaysFinish).then(|| dead_end(&worlds, helping));
    let broken = lost
        .flatten()
        .map(|lost| (Property::CanAlwaysFinish, path(&predecessors, predecessors[lost])));
    Search { n_worlds: worlds.len(), never, broken }
}

/// The first world from which no helping step leads to the end; `helping` says from which world each can be reached.
fn dead_end(worlds: &[World], mut helping: Vec<(usize, usize)>) -> Option<usize> {
    helping.sort_unstable();
    let mut open: Vec<usize> = (0..worlds.len()).filter(|&at| worlds[at].is_over()).collect();
    let mut can_finish = vec![false; worlds.len()];
    while let Some(at) = open.pop() {
        if !std::mem::replace(&mut can_finish[at], true) {
            let begin = helping.partition_point(|&(to, _)| to < at);
            let before = helping[begin..].iter().take_while(|&&(to, _)| to == at);
            open.extend(before.map(|&(_, from)| from).filter(|&from| !can_finish[from]));
        }
    }
    can_finish.iter().position(|has| !has)
}

fn path(predecessors: &[Predecessor], mut last: Predecessor) -> Vec<Action> {
    let mut path = Vec::new();
    while let Some((from, action)) = last {
        path.push(action);
        last = predecessors[from];
    }
    path.reverse();
    path
}
