//! The one native function behind every host function that a script calls.
//!
//! V8 calls it through C++, where a panic ends the process. So nothing here may panic, and panics of the host are caught.
#![expect(clippy::needless_pass_by_value, reason = "V8 gives a function its arguments by value")]

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Map, Value, json};
use windlass_core::{DataFault, Failure, Operation, ScriptLimits, ScriptPhase, ScriptPosition};

use crate::active_call::{ActiveCall, CallSite, PendingReply, World};
use crate::api::{AcceptedCall, HostCall, Reply};
use crate::end::{Fault, Halt, host_panic};
use crate::json::{SizedJson, check_elements, check_size};
use crate::value;
use crate::{exception, halt};

/// What a script asks for.
struct Request<'s> {
    /// The function, as its index in the list of functions.
    function: u32,
    input: v8::Local<'s, v8::Value>,
    has_more_arguments: bool,
    is_attempt: bool,
}

/// `Namespace.method(input)`. The function's data is its index in the list of functions.
pub(crate) fn call<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    arguments: v8::FunctionCallbackArguments<'s>,
    mut result: v8::ReturnValue<'s, v8::Value>,
) {
    let request = |scope: &mut v8::PinScope<'s, '_>, _: &ActiveCall| {
        Ok(Request {
            function: arguments.data().uint32_value(scope).unwrap_or(u32::MAX),
            input: arguments.get(0),
            has_more_arguments: arguments.length() > 1,
            is_attempt: false,
        })
    };
    if let Some(promise) = promise_of(scope, request) {
        result.set(promise.into());
    }
}

/// `attempt(Namespace.method, input)`: the script is given a failure that is about the data.
pub(crate) fn attempt<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    arguments: v8::FunctionCallbackArguments<'s>,
    mut result: v8::ReturnValue<'s, v8::Value>,
) {
    let request = |scope: &mut v8::PinScope<'s, '_>, current: &ActiveCall| {
        let function = index_of(scope, current, arguments.get(0)).ok_or_else(|| {
            let message = "`attempt` takes a function of a tool and its input: `await attempt(Files.read, { path })`";
            Fault::logic("attempt_input", message)
        })?;
        Ok(Request {
            function,
            input: arguments.get(1),
            has_more_arguments: arguments.length() > 2,
            is_attempt: true,
        })
    };
    if let Some(promise) = promise_of(scope, request) {
        result.set(promise.into());
    }
}

/// The index of a function in the list of functions.
fn index_of(
    scope: &mut v8::PinScope<'_, '_>,
    current: &ActiveCall,
    wanted: v8::Local<'_, v8::Value>,
) -> Option<u32> {
    let global = scope.get_current_context().global(scope);
    let index = current.functions.iter().position(|function| {
        let name = v8::String::new(scope, &function.namespace);
        let namespace = name.and_then(|name| global.get(scope, name.into()));
        let namespace = namespace.and_then(|it| it.try_cast::<v8::Object>().ok());
        let method = v8::String::new(scope, &function.method);
        let found = namespace.zip(method).and_then(|(it, name)| it.get(scope, name.into()));
        found.is_some_and(|found| found.strict_equals(wanted))
    });
    u32::try_from(index?).ok()
}

/// Answers what a script asks for with a promise. `None`: that has ended the script.
fn promise_of<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    request: impl FnOnce(&mut v8::PinScope<'s, '_>, &ActiveCall) -> Result<Request<'s>, Fault>,
) -> Option<v8::Local<'s, v8::Promise>> {
    let current = ActiveCall::of(scope)?;
    // A script that has ended runs on to its next stack check, and may get here.
    if current.is_over() {
        return None;
    }
    let at = exception::current_position(scope, &current).map(|at| current.source.position(at));
    let promise = request(scope, &current)
        .map_err(Halt::from)
        .and_then(|request| answer(scope, &current, &request, at.clone()));
    match promise {
        Ok(promise) => Some(promise),
        Err(halt) => {
            current.finish(scope, halt.map(|fault| fault.at(at)));
            None
        }
    }
}

/// The promise that the script gets, or how the call ends it.
fn answer<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    current: &ActiveCall,
    request: &Request<'s>,
    at: Option<ScriptPosition>,
) -> Result<v8::Local<'s, v8::Promise>, Halt> {
    let (call, world) = read_call(scope, current, request, at.clone())?;
    let site = CallSite { function: name_of(&call), at, is_attempt: request.is_attempt };
    let accepted = accept(&world, call.clone())?;
    if request.is_attempt && accepted.operation != Operation::Read {
        let message = format!(
            "`attempt` is for functions that read the outside world, and `{}` is none",
            site.function
        );
        return Err(Fault::logic("attempt_input", message).into());
    }
    if accepted.operation == Operation::Mutation {
        return Err(Halt::Mutation(Box::new(call)));
    }
    let reply = guarded(accepted.answer).unwrap_or_else(|failure| Reply::Now(Err(failure)));
    deliver(scope, current, reply, site, accepted.operation)
}

/// Reads the call, and refuses it if it breaks a rule that holds for every call.
fn read_call<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    current: &ActiveCall,
    request: &Request<'s>,
    at: Option<ScriptPosition>,
) -> Result<(HostCall, World), Halt> {
    let Some(function) = current.functions.get(request.function as usize) else {
        return Err(Fault::internal("a function is not in the list of functions").into());
    };
    let mut call = HostCall {
        namespace: function.namespace.clone(),
        method: function.method.clone(),
        input: Value::Object(Map::new()),
        has_halves: false,
        at,
    };
    let name = name_of(&call);
    let Some(world) = current.world.borrow().clone() else {
        let message =
            format!("`{name}` is called while the file is evaluated: call tools in handlers only");
        return Err(Fault::logic("tool_call_outside_handler", message).into());
    };
    let max = current.limits.host_calls;
    if current.host_calls.replace(current.host_calls.get() + 1) >= max {
        return Err(
            Fault::limit("the script calls tools and topics too often", "host_calls", max).into()
        );
    }
    if let Some(input) = read_input(scope, current, request, &name)? {
        count_passed(current, &input)?;
        call.has_halves = input.has_halves;
        call.input = input.value;
    }
    Ok((call, world))
}

/// Refuses to pass more than a call may pass in total. The host may have to keep all of it until the call has ended.
fn count_passed(current: &ActiveCall, input: &SizedJson) -> Result<(), Fault> {
    let what = "the script passes too much data to tools and topics";
    let ScriptLimits { passed_bytes, passed_elements, .. } = current.limits;
    let add = |total: &Cell<usize>, more| {
        total.set(total.get().saturating_add(more));
        total.get()
    };
    if add(&current.passed_bytes, input.bytes) > passed_bytes as usize {
        return Err(Fault::limit(what, "passed_bytes", passed_bytes));
    }
    if add(&current.passed_elements, input.elements) > passed_elements as usize {
        return Err(Fault::limit(what, "passed_elements", passed_elements));
    }
    Ok(())
}

/// Reads the one argument, if there is one.
fn read_input<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    current: &ActiveCall,
    request: &Request<'s>,
    name: &str,
) -> Result<Option<SizedJson>, Halt> {
    let input = value::from_script(scope, current, request.input)
        .map_err(|halt| halt.context(&format!("the input of `{name}` cannot be passed")))?;
    let is_object = input.as_ref().is_none_or(|input| input.value.is_object());
    if request.has_more_arguments || !is_object {
        let message = format!("`{name}` takes one object, for example `{name}({{…}})`");
        return Err(Fault::logic("tool_input", message).into());
    }
    Ok(input)
}

/// Has the host accept the call, and refuses it where the phase does not permit its operation.
fn accept(world: &World, call: HostCall) -> Result<AcceptedCall, Fault> {
    let name = name_of(&call);
    let accepted = guarded(|| world.host.accept(call))
        .and_then(std::convert::identity)
        .map_err(|failure| Fault { code: "tool_failed", failure })?;
    if world.phase.permits(accepted.operation) {
        return Ok(accepted);
    }
    let message = world.phase.violation(&name, accepted.operation);
    Err(Fault::logic("phase_violation", message))
}

/// Gives the script a promise of the reply.
fn deliver<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    current: &ActiveCall,
    reply: Reply,
    site: CallSite,
    operation: Operation,
) -> Result<v8::Local<'s, v8::Promise>, Halt> {
    let resolver = v8::PromiseResolver::new(scope).ok_or(Halt::Terminated)?;
    match reply {
        Reply::Now(result) => settle(scope, current, resolver, &site, result)?,
        Reply::Later(future) => {
            let number = current.later_replies.get();
            current.later_replies.set(number + 1);
            let resolver = v8::Global::new(scope, resolver);
            let pending = PendingReply { resolver, site, operation, task: None };
            current.pending.borrow_mut().insert(number, pending);
            current.unspawned.borrow_mut().push_back((number, future));
        }
    }
    Ok(resolver.get_promise(scope))
}

/// Resolves a promise with the host's answer. A failure ends the script instead, unless the script attempts the call and the failure
/// is about the data.
pub(crate) fn settle(
    scope: &mut v8::PinScope<'_, '_>,
    current: &ActiveCall,
    resolver: v8::Local<'_, v8::PromiseResolver>,
    site: &CallSite,
    result: Result<Value, Failure>,
) -> Result<(), Halt> {
    let value = match (result, site.is_attempt) {
        (Ok(value), false) => value,
        (Ok(value), true) => json!({ "ok": true, "value": value }),
        (Err(failure), is_attempt) => match failure.data_fault().filter(|_| is_attempt) {
            Some(fault) => failed_attempt(fault, failure),
            None => {
                return Err(Fault { code: "tool_failed", failure }.at(site.at.clone()).into());
            }
        },
    };
    let mut json = value.to_string();
    let mut size = check_size(&current.limits, json.len())
        .and_then(|()| check_elements(&current.limits, &json).map(drop));
    if site.is_attempt
        && let Err(Fault { failure, .. }) = size
    {
        json = failed_attempt(DataFault::TooBig, failure).to_string();
        size = Ok(());
    }
    let value = size
        .map_err(Halt::from)
        .and_then(|()| value::to_script(scope, current, &json))
        .map_err(|halt| {
            halt.context(&format!("the answer of `{}` cannot be handed over", site.function))
                .map(|fault| fault.at(site.at.clone()))
        })?;
    resolver.resolve(scope, value);
    Ok(())
}

/// What `attempt` hands over of a failure.
fn failed_attempt(fault: DataFault, failure: Failure) -> Value {
    let message = failure.cropped().message;
    json!({ "ok": false, "error": { "code": fault.as_str(), "message": message } })
}

fn name_of(call: &HostCall) -> String {
    format!("{}.{}", call.namespace, call.method)
}

/// Runs code of the host. A panic becomes a failure.
fn guarded<T>(action: impl FnOnce() -> T) -> Result<T, Failure> {
    halt::may_not_halt(|| catch_unwind(AssertUnwindSafe(action)))
        .map_err(|panic| host_panic(panic.as_ref()))
}

/// The name of the function that a phase calls in the script.
pub(crate) const fn function_of(phase: ScriptPhase) -> &'static str {
    match phase {
        ScriptPhase::Producer => "handler",
        ScriptPhase::Prepare => "prepare",
        ScriptPhase::Mutate => "mutate",
        ScriptPhase::Next => "next",
    }
}
