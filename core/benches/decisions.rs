//! What the state machine and the decisions of the core cost, without anything around them.

use std::hint::black_box;

use criterion::Criterion;
use serde_json::{Value, json};
use windlass_core::{
    ConsumerDue, DueView, HandlerKind, IllegalTransition, ProducerDue, RunState, Timestamp,
    WorkflowStatus, digest, next_step,
};

/// A consumer's run with an effect, from the queue to the commit.
fn mutating_run(queued: RunState) -> Result<RunState, IllegalTransition> {
    let prepared = queued.claim()?.run.prepared()?.run;
    let applied = prepared.begin_mutation(1)?.run.apply_mutation()?.run;
    Ok(applied.commit()?.run)
}

/// A workflow of which nothing is due but the last consumer.
fn workflow(n_handlers: usize) -> DueView {
    let consumer = |idx: usize| ConsumerDue {
        name: format!("consumer-{idx}"),
        has_work: idx + 1 == n_handlers,
        wake_at: None,
        oldest_pending: None,
    };
    let producer = |idx: usize| ProducerDue {
        name: format!("producer-{idx}"),
        next_run_at: Some(Timestamp::from_micros(i64::MAX)),
    };
    DueView {
        status: WorkflowStatus::Active,
        has_error: false,
        is_contradicted: false,
        in_maintenance: false,
        backoff_until: None,
        effects_paused_until: None,
        has_open_run: false,
        pending_retry: None,
        consumers: (0..n_handlers).map(consumer).collect(),
        producers: (0..n_handlers).map(producer).collect(),
    }
}

/// The input of a call with so many fields.
fn params(n_fields: usize) -> Value {
    (0..n_fields).map(|idx| (format!("field-{idx}"), json!({ "value": idx }))).collect()
}

fn decisions(criterion: &mut Criterion) {
    let queued = RunState::queued(HandlerKind::Consumer);
    criterion.bench_function("state machine, a mutating run", |bench| {
        bench.iter(|| mutating_run(black_box(queued)));
    });
    for n_handlers in [2, 20] {
        let view = workflow(n_handlers);
        let now = Timestamp::from_micros(0);
        criterion.bench_function(&format!("next step of {n_handlers} handlers"), |bench| {
            bench.iter(|| next_step(black_box(&view), now));
        });
    }
    for n_fields in [3, 300] {
        let params = params(n_fields);
        criterion.bench_function(&format!("digest of {n_fields} fields"), |bench| {
            bench.iter(|| digest(black_box(&params)));
        });
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    decisions(&mut criterion);
    criterion.final_summary();
}
