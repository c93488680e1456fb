//! Ids: UUIDv7 behind a short prefix that says what the id names.

use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::text::{Text, UnknownText, text_impls};
use crate::time::Timestamp;

/// What every id can do. Ids minted later sort after ids minted earlier in one process.
pub trait Id: Text + Copy + Ord {
    /// What stands before the underscore, for example `run`.
    const PREFIX: &'static str;

    /// A new id that no other has.
    fn mint(now: Timestamp) -> Self;

    /// A new id that no other of that source has.
    fn mint_from(ids: &IdSource, now: Timestamp) -> Self;

    /// A random number that is always the same for the same id.
    fn seed(self) -> u64;
}

/// A source of ids that depend only on a seed and on the instants at which they are minted, so that fixtures are the same every
/// time. The ids of one source are unique and sort by the order of minting.
#[derive(Debug)]
pub struct IdSource(Mutex<IdSequence>);

#[derive(Debug)]
struct IdSequence {
    millis: u64,
    /// Counts the ids of one millisecond.
    count: u64,
    /// The state of `SplitMix64`.
    random: u64,
}

impl IdSource {
    /// The source of that seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(Mutex::new(IdSequence { millis: 0, count: 0, random: seed }))
    }

    fn next(&self, now: Timestamp) -> Uuid {
        let mut sequence = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let millis = now.as_micros().max(0).unsigned_abs() / 1_000;
        if millis > sequence.millis {
            sequence.millis = millis;
            sequence.count = 0;
        }
        sequence.count += 1;
        let (millis, count, random) = (sequence.millis, sequence.count, sequence.random());
        // 48 bits of time, the version, 12 and 30 bits of count around the variant, 32 random bits.
        let high = millis << 16 | 7 << 12 | (count >> 30 & 0xFFF);
        let low = 2 << 62 | (count & 0x3FFF_FFFF) << 32 | random >> 32;
        Uuid::from_u64_pair(high, low)
    }
}

impl IdSequence {
    const fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// One context for the process, so that ids of one instant still sort by the order of minting.
fn uuid_at(now: Timestamp) -> Uuid {
    use std::sync::LazyLock;
    static ORDER: LazyLock<Mutex<uuid::ContextV7>> =
        LazyLock::new(|| Mutex::new(uuid::ContextV7::new()));

    let micros = now.as_micros().max(0).unsigned_abs();
    let seconds = micros / 1_000_000;
    let nanos = u32::try_from(micros % 1_000_000 * 1_000).unwrap_or(0);
    let order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    Uuid::new_v7(uuid::Timestamp::from_unix(&*order, seconds, nanos))
}

macro_rules! ids {
    ($( $(#[$meta:meta])* $name:ident = $prefix:literal; )+) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl Id for $name {
            const PREFIX: &'static str = $prefix;

            fn mint(now: Timestamp) -> Self {
                Self(uuid_at(now))
            }

            fn mint_from(ids: &IdSource, now: Timestamp) -> Self {
                Self(ids.next(now))
            }

            fn seed(self) -> u64 {
                // The last 32 bits of a UUIDv7 are random, whatever counts before them.
                self.0.as_u64_pair().1 & u64::from(u32::MAX)
            }
        }

        impl Text for $name {
            fn to_text(&self) -> String {
                format!("{}_{}", $prefix, self.0.simple())
            }

            fn parse_text(text: &str) -> Result<Self, UnknownText> {
                let wrong = || UnknownText::new(text, concat!("an id of the form ", $prefix, "_…"));
                let hex = text.strip_prefix(concat!($prefix, "_")).ok_or_else(wrong)?;
                Uuid::try_parse(hex).map(Self).map_err(|_not_hex| wrong())
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{self}")
            }
        }

        text_impls!($name);
    )+ };
}

ids! {
    /// A workspace: the tenant that owns workflows.
    WorkspaceId = "ws";
    /// A workflow.
    WorkflowId = "wf";
    /// One immutable version of a workflow's script.
    ScriptId = "scr";
    /// A topic of a workflow.
    TopicId = "top";
    /// An event in a topic.
    EventId = "evt";
    /// An entry of the input ledger: the outside thing that caused work.
    InputId = "inp";
    /// A handler run: one attempt of one handler.
    RunId = "run";
    /// A row of the mutation ledger.
    MutationId = "mut";
    /// A session: one pass of a workflow.
    SessionId = "ses";
    /// A notification for a person.
    NotificationId = "ntf";
    /// A worker process.
    WorkerId = "wrk";
    /// An entry of the journal.
    JournalId = "jnl";
    /// A token, a link that signs a person in, or the cookie of a browser.
    CredentialId = "crd";
    /// A node of a graph in one run.
    NodeRunId = "nod";
    /// One attempt at a node.
    AttemptId = "att";
    /// One version of something that was made.
    ArtifactId = "art";
    /// Something that a person is asked.
    ApprovalId = "apr";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text() {
        let id = RunId::mint(Timestamp::from_micros(1_700_000_000_000_000));

        assert!(id.to_string().starts_with("run_"));
        assert_eq!(id.to_string().parse::<RunId>(), Ok(id));
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let id = RunId::mint(Timestamp::from_micros(0));

        let error = id.to_string().parse::<EventId>().unwrap_err();

        assert!(error.to_string().contains("an id of the form evt_…"));
    }

    #[test]
    fn ids_of_a_source_depend_on_its_seed_and_sort_by_minting() {
        let ids_of = |seed| -> Vec<EventId> {
            let ids = IdSource::new(seed);
            let instants = [7_000, 7_000, 7_900, 8_000, 2_000, 9_000];
            instants.map(|at| EventId::mint_from(&ids, Timestamp::from_micros(at))).to_vec()
        };

        let ids = ids_of(1);

        assert_eq!(ids, ids_of(1));
        assert_ne!(ids, ids_of(2));
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
        assert!(ids.iter().all(|id| id.0.get_version_num() == 7), "{ids:?}");
        assert!(ids.iter().all(|id| id.0.get_variant() == uuid::Variant::RFC4122), "{ids:?}");
    }

    #[test]
    fn ids_of_one_instant_sort_by_minting() {
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let ids: Vec<_> = (0..1_000).map(|_| EventId::mint(now)).collect();

        assert!(ids.is_sorted());
    }
}
