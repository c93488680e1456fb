//! Names that nothing declares: tools that do not exist, and what other JavaScript environments have.

use std::collections::BTreeSet;

use oxc_ast::ast::CallExpression;
use oxc_span::GetSpan;
use windlass_core::{Problem, nearest};

use super::finding::Finding;
use super::survey::Survey;
use crate::api::Function;
use crate::extras;

/// What every script finds besides the functions of the host, in the order of the alphabet.
const GLOBALS: &[&str] = &[
    "AggregateError",
    "Array",
    "ArrayBuffer",
    "AsyncDisposableStack",
    "BigInt",
    "BigInt64Array",
    "BigUint64Array",
    "Boolean",
    "DataView",
    "Date",
    "DisposableStack",
    "Error",
    "EvalError",
    "Float16Array",
    "Float32Array",
    "Float64Array",
    "Function",
    "Infinity",
    "Int16Array",
    "Int32Array",
    "Int8Array",
    "Intl",
    "Iterator",
    "JSON",
    "Map",
    "Math",
    "NaN",
    "Number",
    "Object",
    "Promise",
    "Proxy",
    "RangeError",
    "ReferenceError",
    "Reflect",
    "RegExp",
    "Set",
    "String",
    "SuppressedError",
    "Symbol",
    "SyntaxError",
    "TypeError",
    "URIError",
    "Uint16Array",
    "Uint32Array",
    "Uint8Array",
    "Uint8ClampedArray",
    "WeakMap",
    "WeakSet",
    "arguments",
    "atob",
    "attempt",
    "console",
    "decodeURI",
    "decodeURIComponent",
    "encodeURI",
    "encodeURIComponent",
    "escape",
    "eval",
    "getDocs",
    "globalThis",
    "isFinite",
    "isNaN",
    "parseFloat",
    "parseInt",
    "undefined",
    "unescape",
];

/// What to do instead of using a name of another environment.
const ELSEWHERE: &[(&[&str], &str)] = &[
    (
        &["fetch", "XMLHttpRequest", "axios", "WebSocket", "EventSource"],
        "a script has no network of its own: call `Http.get` in a producer or in `prepare`, or `Http.post` in `mutate`",
    ),
    (
        &[
            "setTimeout",
            "setInterval",
            "setImmediate",
            "clearTimeout",
            "clearInterval",
            "requestAnimationFrame",
        ],
        "a script has no timers: give a producer a `schedule`, or return `wakeAt` from `prepare`",
    ),
    (
        &["process", "Deno", "Bun", "__dirname", "__filename"],
        "a script sees neither environment nor machine: write settings as constants into it",
    ),
    (
        &["require", "module", "exports", "define"],
        "a script is one file without modules: declare `const workflow = { … }` in it, and nothing is exported",
    ),
    (&["Buffer"], "use `TextEncoder`, `TextDecoder`, `btoa` and `atob`"),
    (&["crypto"], "use `sha256` for a digest; an id comes from the outside thing, not from chance"),
    (
        &["window", "document", "localStorage", "sessionStorage", "navigator", "location", "self"],
        "a script runs in no browser: what a handler returns is its state, and is kept",
    ),
    (&["queueMicrotask"], "write `await null`"),
];

/// Finds tools that do not exist in a namespace that does.
pub(super) fn unknown_tools(survey: &Survey<'_>, functions: &[Function]) -> Vec<Finding> {
    let calls = survey.bodies.values().flat_map(|body| &body.calls);
    calls.filter_map(|site| unknown_tool(site.what, survey, functions)).collect()
}

fn unknown_tool(
    call: &CallExpression<'_>,
    survey: &Survey<'_>,
    functions: &[Function],
) -> Option<Finding> {
    let member = call.callee.get_inner_expression().as_member_expression()?;
    let namespace = member.object().get_identifier_reference()?.name.as_str();
    let method = member.static_property_name().filter(|_| !survey.binds(namespace))?;
    let methods: Vec<&str> = functions
        .iter()
        .filter(|it| it.namespace == namespace)
        .map(|it| it.method.as_str())
        .collect();
    if methods.is_empty() || methods.contains(&method) {
        return None;
    }
    let likely = nearest(method, &methods);
    let hint = match likely {
        Some(likely) => format!("did you mean `{namespace}.{likely}`?"),
        None => format!("`{namespace}` has {}", listed(&methods)),
    };
    let message = format!("there is no `{namespace}.{method}`");
    let finding =
        Finding::new(call.callee.span(), Problem::new("unknown_tool", message).hint(hint));
    Some(match likely {
        Some(likely) => finding.replace(call.callee.span(), format!("{namespace}.{likely}")),
        None => finding,
    })
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// Finds names that stand for nothing, each at its first use.
pub(super) fn unknown_names(survey: &Survey<'_>, functions: &[Function]) -> Vec<Finding> {
    let namespaces: BTreeSet<&str> = functions.iter().map(|it| it.namespace.as_str()).collect();
    let mut reported = BTreeSet::new();
    let mut findings = Vec::new();
    for reference in &survey.references {
        let name = reference.name.as_str();
        let is_known = survey.binds(name)
            || survey.tested.contains(name)
            || namespaces.contains(name)
            || GLOBALS.contains(&name)
            || extras::NAMES.contains(&name);
        if !is_known && reported.insert(name) {
            findings.push(Finding::new(reference.span, unknown(name, &namespaces)));
        }
    }
    findings
}

fn unknown(name: &str, namespaces: &BTreeSet<&str>) -> Problem {
    let elsewhere = ELSEWHERE.iter().find(|(names, _)| names.contains(&name));
    if let Some((_, hint)) = elsewhere {
        return Problem::new("unknown_name", format!("there is no `{name}` here")).hint(*hint);
    }
    let known = namespaces.iter().copied().chain(GLOBALS.iter().copied()).chain(extras::NAMES);
    if let Some(likely) = nearest(name, known) {
        let message = format!("nothing is called `{name}`");
        return Problem::new("unknown_name", message).hint(format!("did you mean `{likely}`?"));
    }
    if name.starts_with(|first: char| first.is_ascii_uppercase()) {
        let message = format!("nothing is called `{name}`: no tool, and nothing in this file");
        return Problem::new("unknown_name", message)
            .hint("tools of that name come from a connector, which the configuration has to name");
    }
    Problem::new("unknown_name", format!("nothing is called `{name}`"))
        .hint("declare it, or correct its spelling")
}
