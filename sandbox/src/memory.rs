//! The memory of the whole process, and which script makes it grow.
//!
//! V8 limits its heap and the buffers. It does not limit what `Intl` objects keep outside the heap, nor what the compiler of regular
//! expressions needs. So the process's memory is looked at while scripts run. Growth is attributed to the threads of scripts by
//! their page faults: a page that is touched for the first time causes one.

use std::collections::BTreeMap;

use crate::processor;

/// A call may be stopped for the memory of the machine only if it has grown by this much: a smaller one is not the cause.
const LEAST_GROWTH: u64 = 64 << 20;

/// What the operating system knows at a moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// The memory of the process, in bytes.
    pub(crate) resident: u64,
    /// The page faults of all its threads since its start.
    pub(crate) faults: u64,
}

/// The limits of memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MemoryLimits {
    /// By how much one call may make the process grow, in bytes.
    pub(crate) call: u64,
    /// How large the process may be, in bytes, if that is limited.
    pub(crate) process: Option<u64>,
}

/// How much each call has made the process grow.
#[derive(Debug)]
pub(crate) struct Growth {
    last: Usage,
    /// The least memory that the process had.
    least: u64,
    /// By the numbers of the calls.
    calls: BTreeMap<u64, Share>,
}

#[derive(Debug, Default)]
struct Share {
    faults: u64,
    bytes: u64,
}

impl Growth {
    /// Begins with what the process uses now.
    pub(crate) fn since(usage: Usage) -> Self {
        Self { last: usage, least: usage.resident, calls: BTreeMap::new() }
    }

    /// Attributes what has changed to the calls that run, which are given with the page faults that each has caused.
    pub(crate) fn note(&mut self, usage: Usage, running: &[(u64, u64)]) {
        let faults = usage.faults.saturating_sub(self.last.faults);
        let grown = usage.resident.saturating_sub(self.last.resident);
        let shrunk = self.last.resident.saturating_sub(usage.resident);
        self.calls.retain(|number, _| running.iter().any(|(running, _)| running == number));
        let total: u64 = self.calls.values().map(|share| share.bytes).sum();
        for (number, call_faults) in running {
            let share = self.calls.entry(*number).or_default();
            let new = call_faults.saturating_sub(share.faults);
            share.faults = *call_faults;
            share.bytes -= part(shrunk, share.bytes, total).min(share.bytes);
            share.bytes += part(grown, new, faults.max(new));
        }
        self.last = usage;
        self.least = self.least.min(usage.resident);
    }

    /// The call that is to be stopped: the one that has grown most, if it or the process is beyond the limits.
    pub(crate) fn greediest(&self, limits: MemoryLimits) -> Option<(u64, Excess)> {
        let (number, share) = self.calls.iter().max_by_key(|(_, share)| share.bytes)?;
        let process = self.last.resident;
        if share.bytes > limits.call && process.saturating_sub(self.least) > limits.call {
            return Some((*number, Excess::Call));
        }
        let is_too_large = limits.process.is_some_and(|limit| process > limit);
        (is_too_large && share.bytes > LEAST_GROWTH).then_some((*number, Excess::Process))
    }
}

/// Which limit of memory is exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    /// That of one call.
    Call,
    /// That of the process.
    Process,
}

/// `whole * share / total`.
fn part(whole: u64, share: u64, total: u64) -> u64 {
    let product = u128::from(whole) * u128::from(share);
    product.checked_div(u128::from(total)).and_then(|it| u64::try_from(it).ok()).unwrap_or(0)
}

/// How large the process may be: nine tenths of what its control group may use. None where that is not limited.
pub(crate) fn process_limit() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let own = format!("/sys/fs/cgroup{}/memory.max", group.trim_end_matches('/'));
    let max = std::fs::read_to_string(own)
        .or_else(|_| std::fs::read_to_string("/sys/fs/cgroup/memory.max"));
    Some(max.ok()?.trim().parse::<u64>().ok()? / 10 * 9)
}

/// What the process uses now. None where the system does not tell it.
pub(crate) fn usage() -> Option<Usage> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = resident.split_ascii_whitespace().next()?.parse().ok()?;
    Some(Usage { resident: kib * 1024, faults: processor::faults("/proc/self/stat")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const LIMITS: MemoryLimits = MemoryLimits { call: 200 * MIB, process: Some(1_000 * MIB) };

    fn usage(mib: u64, faults: u64) -> Usage {
        Usage { resident: mib * MIB, faults }
    }

    #[test]
    fn the_call_whose_thread_touched_new_memory_is_the_greediest() {
        let mut growth = Growth::since(usage(100, 1_000));

        growth.note(usage(300, 2_000), &[(1, 10), (2, 900)]);
        assert_eq!(growth.greediest(LIMITS), None, "180 of 200 MiB");
        growth.note(usage(400, 2_100), &[(1, 20), (2, 990)]);

        assert_eq!(growth.greediest(LIMITS), Some((2, Excess::Call)));
    }

    #[test]
    fn memory_that_comes_and_goes_does_not_add_up() {
        let mut growth = Growth::since(usage(100, 0));
        for round in 0..20 {
            growth.note(usage(200, round * 200 + 100), &[(1, round * 200 + 100)]);
            growth.note(usage(100, round * 200 + 200), &[(1, round * 200 + 200)]);
        }

        assert_eq!(growth.greediest(LIMITS), None);
    }

    #[test]
    fn what_others_need_is_not_the_fault_of_a_call() {
        let mut growth = Growth::since(usage(100, 0));

        growth.note(usage(2_000, 10_000), &[(1, 100)]);

        assert_eq!(growth.greediest(LIMITS), None, "the process is too large, and the call small");
    }

    #[test]
    fn a_process_that_is_too_large_loses_its_greediest_call_first() {
        let limits = MemoryLimits { call: 900 * MIB, ..LIMITS };
        let mut growth = Growth::since(usage(800, 0));

        growth.note(usage(1_100, 1_000), &[(1, 200), (2, 500), (3, 300)]);

        assert_eq!(growth.greediest(limits), Some((2, Excess::Process)));
        growth.note(usage(1_150, 1_100), &[(1, 200), (3, 300)]);
        assert_eq!(growth.greediest(limits), Some((3, Excess::Process)), "the next one");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_tells_what_the_process_uses() {
        let before = super::usage().unwrap();
        let touched = vec![1_u8; 64 << 20];
        let after = super::usage().unwrap();

        assert!(before.resident > 0 && touched.len() == 64 << 20);
        assert!(after.resident > before.resident && after.faults > before.faults);
    }
}
