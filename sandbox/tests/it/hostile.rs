//! Scripts that mean harm, or are merely broken: each ends in a clear error, and afterwards the same sandbox is as good as new.

use serde_json::json;
use windlass_core::{FailureClass, ScriptLimits};
use windlass_sandbox::Ending;

use crate::support::{limits, prepare, returned, run, sandbox_with};

const TIME: &str = "the script takes too long: the limit is `limits.script.wall_time_ms` = 300";
const CPU: &str = "the script computes too long: the limit is `limits.script.cpu_time_ms` = 200";
const NATIVE: &str = "the script uses too much memory outside its heap and its buffers: the limit is `limits.script.native_mib` = 50";
const MEMORY: &str = "the script uses too much memory: the limit is `limits.script.heap_mib` = 32";
const STACK: &str =
    "RangeError: Maximum call stack size exceeded: the limit is `limits.script.stack_kib` = 512";
const BUFFERS: &str = "the script's `ArrayBuffer`s use too much memory: the limit is `limits.script.array_buffers_mib` = 8";
const CALLS: &str =
    "the script calls tools and topics too often: the limit is `limits.script.host_calls` = 50";
const PASSED: &str = "the script passes too much data to tools and topics: the limit is `limits.script.passed_bytes` = 300000";
const RESULT: &str = "the result cannot be kept: the value is too big: the limit is `limits.script.value_bytes` = 100000";
const STUCK: &str = "the handler waits for a promise that nothing will ever settle";

/// Runs a `prepare` with this body, compares its failure, and runs a healthy script after it.
async fn check(body: &str, expected: &str) {
    let wall_time_ms = if expected == TIME { 300 } else { limits().wall_time_ms };
    let cpu_time_ms = if expected == CPU { 200 } else { limits().cpu_time_ms };
    let native_mib = if expected == NATIVE { 50 } else { limits().native_mib };
    let sandbox =
        sandbox_with(ScriptLimits { wall_time_ms, cpu_time_ms, native_mib, ..limits() }, 1);

    let report = run(&sandbox, prepare(body)).await;
    let healthy = run(&sandbox, prepare("return [1, 2, 3].map((n) => n + state.n);")).await;

    let Ending::Failed(failure) = report.ending else { panic!("{:?}", report.ending) };
    assert_eq!((failure.class, failure.message.as_str()), (FailureClass::Logic, expected));
    assert_eq!(returned(&healthy), json!([2, 3, 4]));
}

macro_rules! hostile {
    ($($name:ident: $body:expr => $expected:expr;)+) => {
        $(#[tokio::test]
        async fn $name() {
            check($body, $expected).await;
        })+
    };
}

hostile! {
    an_endless_loop:
        "for (;;) {}" => TIME;
    an_endless_loop_in_a_getter:
        "return { get x() { for (;;) {} } };" => TIME;
    an_endless_loop_in_to_json:
        "return { toJSON() { for (;;) {} } };" => TIME;
    an_endless_loop_in_a_proxy:
        "return new Proxy({}, { ownKeys() { for (;;) {} } });" => TIME;
    an_endless_loop_in_a_tool_s_input:
        "await Files.read({ get path() { for (;;) {} } });" => TIME;
    an_endless_loop_in_what_is_logged:
        "console.log({ toJSON() { for (;;) {} } });" => TIME;
    an_endless_loop_that_cleans_up:
        "for (;;) { try { for (;;) {} } finally { continue; } }" => TIME;
    an_endless_computation:
        "for (;;) {}" => CPU;
    an_endless_computation_that_cleans_up:
        "for (;;) { try { for (;;) {} } finally { continue; } }" => CPU;
    an_endless_computation_in_a_pattern:
        "return /^(a+)+$/.test('a'.repeat(60) + 'b');" => CPU;
    an_endless_computation_between_reads:
        "for (;;) { await Files.read({}); for (let i = 0; i < 3e7; i++); }" => CPU;
    many_small_elements_in_the_result:
        "return Array(5_000).fill(0);" => "the result cannot be kept: the value has too many elements: the limit is `limits.script.value_elements` = 5000";
    many_small_elements_in_an_input:
        "await Files.read({ path: Array(6_000).fill(0) });" => "the input of `Files.read` cannot be passed: the value has too many elements: the limit is `limits.script.value_elements` = 5000";
    many_small_elements_in_an_answer:
        "await Files.read({ many: true });" => "the answer of `Files.read` cannot be handed over: the value has too many elements: the limit is `limits.script.value_elements` = 5000";
    many_small_elements_in_many_inputs:
        "for (;;) { await Files.read({ path: Array(4_000).fill(0) }); }" => "the script passes too much data to tools and topics: the limit is `limits.script.passed_elements` = 20000";
    objects_that_keep_memory_outside_the_heap:
        "const all = []; for (;;) { all.push(new Intl.DateTimeFormat('de-DE', { dateStyle: 'full', timeZone: 'Europe/Berlin' })); }" => NATIVE;
    an_endless_chain_of_microtasks:
        "const again = () => Promise.resolve().then(again); await again();" => MEMORY;
    a_flood_of_promises:
        "const flood = async () => { for (;;) { flood(); await null; } }; await flood();" => MEMORY;
    a_heap_bomb:
        "const all = []; for (;;) { all.push(new Array(1000).fill(all.length)); }" => MEMORY;
    a_bomb_of_bigger_arrays:
        "let all = [1]; for (;;) { all = all.concat(all); }" => MEMORY;
    a_bomb_of_array_from:
        "return Array.from({ length: 1e9 }, (_, i) => ({ i })).length;" => MEMORY;
    a_string_bomb:
        "let s = 'x'; for (;;) { s += s; }" => "RangeError: Invalid string length";
    a_list_longer_than_any_can_be:
        "return 'x'.repeat(1 << 28).split('').length;" => MEMORY;
    a_join_bomb:
        "return new Array(1 << 28).join('abcdefgh').length;" => "RangeError: Invalid string length";
    a_replace_bomb:
        "return 'x'.repeat(1 << 16).replace(/x/g, 'x'.repeat(1 << 16)).length;" => "RangeError: Invalid string length";
    a_big_integer_bomb:
        "let n = 3n; for (;;) { n *= n; }" => TIME;
    a_buffer_bomb:
        "const all = []; for (;;) { all.push(new ArrayBuffer(1 << 20)); }" => BUFFERS;
    one_big_buffer:
        "return new Uint8Array(1 << 30).length;" => BUFFERS;
    a_growing_buffer:
        "const b = new ArrayBuffer(8, { maxByteLength: 1 << 30 }); b.resize(1 << 30);" => "TypeError: Method ArrayBuffer.prototype.resize called on incompatible receiver [object ArrayBuffer]";
    deep_recursion:
        "const dig = (n) => dig(n + 1) + 1; return dig(0);" => STACK;
    deep_recursion_in_to_json:
        "const dig = { toJSON() { return { dig }; } }; return dig;" => "the result cannot be kept: RangeError: Maximum call stack size exceeded: the limit is `limits.script.stack_kib` = 512";
    a_deep_value:
        "let v = 0; for (let i = 0; i < 500; i++) { v = [v]; } return v;" => "the result cannot be kept: the value is nested more than 127 levels deep";
    a_very_deep_input:
        "let v = 0; for (let i = 0; i < 1e6; i++) { v = { v }; } return Files.read(v);" => MEMORY;
    a_catastrophic_pattern:
        "return /^(a+)+$/.test('a'.repeat(60) + 'b');" => TIME;
    a_flood_of_log_lines:
        "for (;;) { console.log('x'); }" => "the script logs too much: the limit is `limits.script.log_lines` = 50";
    a_flood_of_host_calls:
        "for (;;) { await Files.read({}); }" => CALLS;
    a_flood_of_host_calls_at_once:
        "for (;;) { Files.readSlowly({}); }" => CALLS;
    a_giant_result:
        "return 'x'.repeat(200_000);" => RESULT;
    a_giant_result_in_two_byte_characters:
        "return 'ä'.repeat(60_000);" => RESULT;
    a_giant_input:
        "await Files.read({ text: 'x'.repeat(200_000) });" => "the input of `Files.read` cannot be passed: the value is too big: the limit is `limits.script.value_bytes` = 100000";
    a_flood_of_big_inputs:
        "for (;;) { await Files.read({ text: 'x'.repeat(90_000) }); }" => PASSED;
    a_giant_answer:
        "await Files.read({ huge: true });" => "the answer of `Files.read` cannot be handed over: the value is too big: the limit is `limits.script.value_bytes` = 100000";
    a_search_through_nothing:
        "return Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);" => TIME;
    a_sort_of_nothing:
        "return Array.prototype.sort.call({ length: 2 ** 53 - 1 });" => MEMORY;
    a_wait_for_nothing:
        "await new Promise(() => {});" => STUCK;
    a_wait_for_itself:
        "let p; p = (async () => { await null; await p; })(); await p;" => STUCK;
}

/// A pattern whose compilation needs gigabytes: each class is hundreds of ranges of characters.
const PATTERN: &str =
    "new RegExp('(?:' + '\\\\P{L}\\\\p{Lu}'.repeat(40_000) + ')', 'iu').test('x');";

#[tokio::test]
async fn a_pattern_whose_compilation_needs_gigabytes() {
    let sandbox =
        sandbox_with(ScriptLimits { wall_time_ms: 60_000, native_mib: 50, ..limits() }, 1);

    let report = run(&sandbox, prepare(PATTERN)).await;
    let healthy = run(&sandbox, prepare("return 1;")).await;

    let Ending::Failed(failure) = report.ending else { panic!("{:?}", report.ending) };
    assert_eq!((failure.class, failure.message.as_str()), (FailureClass::Logic, NATIVE));
    assert_eq!(returned(&healthy), json!(1));
}
