//! Every limit of the engine in one table, with its default.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, FailureClass};
use crate::retention::Retention;
use crate::retry::Backoff;

/// The limits that a deployment may change. Each field's name carries its unit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// What one call of a script may use.
    pub script: ScriptLimits,
    /// What one session may use.
    pub session: SessionLimits,
    /// How consecutive network failures are spaced, and when they block the workflow.
    pub transient: Backoff,
    /// How long a claimed run belongs to its worker without a renewal.
    pub lease: LeasePolicy,
    /// How an effect in doubt is looked up.
    pub lookup: LookupPolicy,
    /// How much one workflow may do outside.
    pub effects: EffectLimits,
    /// When an event is parked.
    pub events: EventPolicy,
    /// When a workflow is not tried again.
    pub runs: RunPolicy,
    /// How long finished records are kept. A configuration has a section of its own for it.
    #[serde(skip)]
    pub retention: Retention,
}

/// When a workflow is not tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunPolicy {
    /// How many of its runs in a row may be lost with their workers; then a person is asked to look. 0 for no limit.
    ///
    /// The default is twice the limit that parks an event: an event that kills workers is parked long before.
    pub lost_in_a_row: u32,
}

impl Default for RunPolicy {
    fn default() -> Self {
        Self { lost_in_a_row: 10 }
    }
}

impl RunPolicy {
    /// The failure that blocks a workflow which lost this many runs in a row; none below the limit.
    #[must_use]
    pub fn lost_too_often(&self, losses: u32) -> Option<Failure> {
        let too_often = self.lost_in_a_row > 0 && losses >= self.lost_in_a_row;
        too_often.then(|| {
            Failure::internal(format!(
                "{losses} workers in a row were lost while they ran this workflow: find out what ends them (memory, a crash, a machine), then resume it"
            ))
        })
    }
}

/// How an effect in doubt is looked up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LookupPolicy {
    /// How many attempts there are before a person is asked.
    pub attempts: u32,
    /// The delay after the first attempt; it doubles each time.
    pub base_ms: u64,
    /// The longest delay.
    pub cap_ms: u64,
    /// How long one attempt may take.
    pub timeout_ms: u64,
}

impl Default for LookupPolicy {
    fn default() -> Self {
        Self { attempts: 5, base_ms: 10_000, cap_ms: 600_000, timeout_ms: 30_000 }
    }
}

impl LookupPolicy {
    /// How long one attempt may take.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// The delay after the `attempts`th attempt without a result (counted from 1); none where that was the last.
    #[must_use]
    pub fn delay(&self, attempts: u32) -> Option<Duration> {
        let (base_ms, cap_ms) = (self.base_ms, self.cap_ms);
        let tries = self.attempts.saturating_sub(1);
        Backoff { base_ms, cap_ms, tries, jitter_percent: 0 }.delay(attempts)
    }
}

/// How much one workflow may do outside. The counts begin anew every hour, and when a person resumes the workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EffectLimits {
    /// Mutations in an hour; then its consumers wait. 0 for no limit.
    pub mutations_per_hour: u32,
    /// Doubtful outcomes in an hour; then a person is asked to look. 0 for no limit.
    pub doubts_per_hour: u32,
}

impl Default for EffectLimits {
    fn default() -> Self {
        Self { mutations_per_hour: 3_600, doubts_per_hour: 5 }
    }
}

impl EffectLimits {
    /// The failure that blocks a workflow which had this many doubtful outcomes within the hour; none below the limit.
    #[must_use]
    pub fn too_many_doubts(&self, doubts: u32) -> Option<Failure> {
        let too_many = self.doubts_per_hour > 0 && doubts >= self.doubts_per_hour;
        too_many.then(|| {
            Failure::new(
                FailureClass::Permission,
                format!(
                    "{doubts} effects within an hour had a doubtful outcome: find out why answers are lost, then resume the workflow"
                ),
            )
        })
    }
}

/// When an event is parked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventPolicy {
    /// After how many lost runs, or runs that failed because of Windlass, an event is parked. 0 for never.
    pub park_after: u32,
    /// How many events of a consumer are parked in a row, with no success between, before the script has to be repaired. 0 for any
    /// number.
    pub parked_in_a_row: u32,
}

impl Default for EventPolicy {
    fn default() -> Self {
        Self { park_after: 5, parked_in_a_row: 3 }
    }
}

impl EventPolicy {
    /// Whether this many events parked in a row mean that the script is wrong.
    #[must_use]
    pub const fn is_too_many_in_a_row(&self, parked: u32) -> bool {
        self.parked_in_a_row > 0 && parked >= self.parked_in_a_row
    }
}

/// What one call of a script (a producer's handler, prepare, mutate or next) may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScriptLimits {
    /// Wall time of one call, waiting for reads included.
    pub wall_time_ms: u64,
    /// Processor time of one call.
    pub cpu_time_ms: u64,
    /// Wall time of the evaluation that `check` and `deploy` make, and of the reading of the text after it.
    pub check_time_ms: u64,
    /// Steps of the reading of the text: about one for each expression and statement and rule.
    pub check_steps: u64,
    /// The heap of the isolate.
    pub heap_mib: u32,
    /// All `ArrayBuffer`s together, which are outside the heap.
    pub array_buffers_mib: u32,
    /// Memory outside heap and buffers, such as that of `Intl` objects and of compiled regular expressions.
    pub native_mib: u32,
    /// The stack.
    pub stack_kib: u32,
    /// Length of one log line; a longer one is cropped.
    pub log_line_chars: u32,
    /// Log lines of one call; more end the call.
    pub log_lines: u32,
    /// The text of all log lines of one call; lines beyond it are left out, with a note.
    pub log_bytes: u32,
    /// The text of all log lines of one workflow within an hour, on one worker; lines beyond it are left out, with a note.
    pub log_bytes_per_hour: u64,
    /// The JSON of one returned, published or passed value.
    pub value_bytes: u32,
    /// The JSON of everything that one call passes to tools and topics.
    pub passed_bytes: u32,
    /// The payloads of all events that one call publishes, each counted once for each of its topics.
    pub published_bytes: u64,
    /// The values in one returned, published, passed or answered value: small ones need far more memory than their JSON.
    pub value_elements: u32,
    /// The values in everything that one call passes to tools and topics.
    pub passed_elements: u32,
    /// Calls of tools and topics in one call.
    pub host_calls: u32,
    /// How many of them are on their way at once; the others wait for their turn.
    pub open_calls: u32,
    /// The script's source.
    pub source_bytes: u32,
}

impl Default for ScriptLimits {
    fn default() -> Self {
        Self {
            wall_time_ms: 300_000,
            cpu_time_ms: 10_000,
            check_time_ms: 5_000,
            check_steps: 50_000_000,
            heap_mib: 64,
            array_buffers_mib: 64,
            native_mib: 256,
            stack_kib: 512,
            log_line_chars: 1_000,
            log_lines: 10_000,
            log_bytes: 1024 * 1024,
            log_bytes_per_hour: 16 * 1024 * 1024,
            value_bytes: 16 * 1024 * 1024,
            passed_bytes: 64 * 1024 * 1024,
            published_bytes: 64 * 1024 * 1024,
            value_elements: 500_000,
            passed_elements: 2_000_000,
            host_calls: 10_000,
            open_calls: 16,
            source_bytes: 4 * 1024 * 1024,
        }
    }
}

impl ScriptLimits {
    /// Wall time of one call.
    #[must_use]
    pub const fn wall_time(&self) -> Duration {
        Duration::from_millis(self.wall_time_ms)
    }
}

/// What one session may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionLimits {
    /// Handler runs of one session; the rest waits for the next session.
    pub handler_runs: u32,
    /// The nearest `wakeAt` that is taken; a nearer one is moved to it.
    pub wake_min_s: u32,
    /// The farthest `wakeAt` that is taken; a farther one is moved to it.
    pub wake_max_s: u32,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { handler_runs: 100, wake_min_s: 30, wake_max_s: 24 * 60 * 60 }
    }
}

/// How long a claimed run belongs to its worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeasePolicy {
    /// Time from a claim or renewal to the expiry.
    pub duration_ms: u64,
}

impl Default for LeasePolicy {
    fn default() -> Self {
        Self { duration_ms: 60_000 }
    }
}

impl LeasePolicy {
    /// Time from a claim or renewal to the expiry.
    #[must_use]
    pub const fn duration(&self) -> Duration {
        Duration::from_millis(self.duration_ms)
    }
}
