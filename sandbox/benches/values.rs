//! The cost of passing a value to a script and back, in addition to the cost of a call.

use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput};
use serde_json::{Value, json};
use windlass_core::{Failure, ScriptLimits, ScriptPhase, digest_text};
use windlass_sandbox::{
    AcceptedCall, Call, CallLog, Ending, Host, HostCall, Options, Sandbox, Script,
};

const SOURCE: &str = r#"
const workflow = {
  topics: { work: {} },
  producers: {},
  consumers: { echo: { subscribe: ["work"], prepare: async (value) => value } },
};
"#;

/// Accepts no call, because the script makes none.
struct NoHost;

impl Host for NoHost {
    fn accept(&self, call: HostCall) -> Result<AcceptedCall, Failure> {
        Err(Failure::internal(format!("`{}` was called", call.method)))
    }
}

/// A list of records, as a tool returns them: each has about 100 bytes.
fn records(n_records: usize) -> Value {
    let record = |idx: usize| json!({ "id": idx, "title": "An invoice of the month", "amount": 12.5, "tags": ["new", "paid"], "by": null });
    (0..n_records).map(record).collect()
}

fn values(criterion: &mut Criterion) {
    let Ok(runtime) = tokio::runtime::Runtime::new() else { return };
    let sandbox = Sandbox::start(Options {
        limits: ScriptLimits::default(),
        functions: Vec::new(),
        max_threads: 1,
        cores: 1,
    });
    let script = Script {
        name: "echo.js".into(),
        source: SOURCE.into(),
        digest: digest_text(SOURCE).into(),
    };
    let mut group = criterion.benchmark_group("there and back");
    for n_records in [0, 10, 1_000] {
        let value = records(n_records);
        group.throughput(Throughput::Bytes(value.to_string().len() as u64));
        group.bench_with_input(BenchmarkId::new("records", n_records), &value, |bench, value| {
            bench.to_async(&runtime).iter(async || {
                let call = Call {
                    script: script.clone(),
                    workspace: None,
                    phase: ScriptPhase::Prepare,
                    handler: "echo".to_owned(),
                    arguments: vec![value.clone()],
                    in_fresh_isolate: false,
                    log: CallLog::default(),
                };
                let ending = sandbox.call(call, Arc::new(NoHost)).await.ending;
                assert!(matches!(ending, Ending::Returned(Some(_))), "{ending:?}");
            });
        });
    }
    group.finish();
}

fn main() {
    // V8 has to be there before the second thread.
    windlass_sandbox::initialize();
    let mut criterion = Criterion::default().configure_from_args();
    values(&mut criterion);
    criterion.final_summary();
}
