//! Measures the machine, so that figures from different machines and times can be compared.

use std::hint::black_box;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::measure::millis;

const FLUSHES: usize = 200;
const PAGE: [u8; 4096] = [7; 4096];
const ROUNDS: u32 = 2_000_000;
const REPETITIONS: usize = 5;

/// Measures flushes in `folder`, the speed of a core, and the load.
pub(crate) fn calibrate(folder: &Path) -> anyhow::Result<Value> {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Option<f64> = load.split(' ').next().and_then(|one_minute| one_minute.parse().ok());
    Ok(json!({
        "load": load,
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "flush_ms": flushes(folder)?,
        "core": rounds_per_second(),
    }))
}

/// How long it takes to overwrite a page and flush it.
fn flushes(folder: &Path) -> anyhow::Result<Vec<f64>> {
    let made = tempfile::tempfile_in(folder);
    let mut file = made.with_context(|| format!("cannot write to `{}`", folder.display()))?;
    let mut flush = || -> anyhow::Result<Duration> {
        let began = Instant::now();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&PAGE)?;
        file.sync_data()?;
        Ok(began.elapsed())
    };
    for _warm_up in 0..FLUSHES / 10 {
        flush()?;
    }
    (0..FLUSHES).map(|_| flush().map(millis)).collect()
}

/// Millions of rounds of a fixed computation in a second; each round depends on the one before.
fn rounds_per_second() -> Vec<f64> {
    let rounds = |_| {
        let began = Instant::now();
        let mut state = black_box(0x9e37_79b9_7f4a_7c15_u64);
        for _ in 0..ROUNDS {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            state = state.wrapping_mul(0x2545_f491_4f6c_dd1d);
        }
        black_box(state);
        f64::from(ROUNDS) / began.elapsed().as_secs_f64() / 1e6
    };
    (0..REPETITIONS).map(rounds).collect()
}
