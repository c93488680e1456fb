//! The one native function behind every host function that a script calls.
//!
//! V8 calls it through C++, where a panic ends the process. So nothing here may panic, and panics of the host are caught.
#![expect(clippy::needless_pass_by_value, reason = "V8 gives a function its arguments by value")]

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Map, Value};
use windlass_core::{Failure, Operation, ScriptLimits, ScriptPhase, ScriptPosition};

use crate::active_call::{ActiveCall, CallSite, PendingReply, World};
use crate::api::{AcceptedCall, HostCall, Reply};
use crate::end::{Fault, Halt, host_panic};
use crate::json::{SizedJson, check_elements, check_size};
use crate::value;
use crate::{exception, halt};

/// `Namespace.method(input)`. The function's data is its index in the list of functions.
pub(crate) fn call<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    arguments: v8::FunctionCallbackArguments<'s>,
    mut result: v8::ReturnValue<'s, v8::Value>,
) {
    let Some(current) = ActiveCall::of(scope) else { return };
    // A script that has ended runs on to its next stack check, and may get here.
    if current.is_over() {
        return;
    }
    let at = exception::current_position(scope, &current).map(|at| current.source.position(at));
    match answer(scope, &current, &arguments, at.clone()) {
        Ok(promise) => result.set(promise.into()),
        Err(halt) => current.finish(scope, halt.map(|fault| fault.at(at))),
    }
}

/// The promise that the script gets, or how the call ends it.
fn answer<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    current: &ActiveCall,
    arguments: &v8::FunctionCallbackArguments<'s>,
    at: Option<ScriptPosition>,
) -> Result<v8::Local<'s, v8::Promise>, Halt> {
    let (call, world) = read_call(scope, current, arguments, at.clone())?;
    let site = CallSite { function: name_of(&call), at };
    let accepted = accept(&world, call.clone())?;
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
    arguments: &v8::FunctionCallbackArguments<'s>,
    at: Option<ScriptPosition>,
) -> Result<(HostCall, World), Halt> {
    let index = arguments.data().uint32_value(scope).unwrap_or(u32::MAX);
    let Some(function) = current.functions.get(index as usize) else {
        return Err(Fault::internal("a function is not in the list of functions").into());
    };
    let mut call = HostCall {
        namespace: function.namespace.clone(),
        method: function.method.clone(),
        input: Value::Object(Map::new()),
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
    if let Some(input) = read_input(scope, current, arguments, &name)? {
        count_passed(current, &input)?;
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
    arguments: &v8::FunctionCallbackArguments<'s>,
    name: &str,
) -> Result<Option<SizedJson>, Halt> {
    let input = value::from_script(scope, current, arguments.get(0))
        .map_err(|halt| halt.context(&format!("the input of `{name}` cannot be passed")))?;
    let is_object = input.as_ref().is_none_or(|input| input.value.is_object());
    if arguments.length() > 1 || !is_object {
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

/// Resolves a promise with the host's answer. A failure ends the script instead.
pub(crate) fn settle(
    scope: &mut v8::PinScope<'_, '_>,
    current: &ActiveCall,
    resolver: v8::Local<'_, v8::PromiseResolver>,
    site: &CallSite,
    result: Result<Value, Failure>,
) -> Result<(), Halt> {
    let value = result.map_err(|failure| {
        Halt::from(Fault { code: "tool_failed", failure }.at(site.at.clone()))
    })?;
    let json = value.to_string();
    let size = check_size(&current.limits, json.len())
        .and_then(|()| check_elements(&current.limits, &json).map(drop));
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
