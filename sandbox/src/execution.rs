//! One call in V8: evaluates the file, calls the handler, waits for it and takes its result.

use std::rc::Rc;

use serde_json::Value;
use windlass_core::{Operation, ScriptPhase};

use crate::active_call::{ActiveCall, Rejection};
use crate::call_runtime::{CallRuntime, HostReply};
use crate::code::{CodeCache, SharedCode};
use crate::end::{Fault, Halt};
use crate::exception::{self, attempt};
use crate::job::Work;
use crate::value;
use crate::{halt, host};

/// One call in V8, and what it needs.
pub(crate) struct Execution<'a, 'b> {
    pub(crate) current: Rc<ActiveCall>,
    pub(crate) code: &'a mut CodeCache,
    pub(crate) shared: &'a SharedCode,
    pub(crate) runtime: &'a mut CallRuntime<'b>,
}

impl Execution<'_, '_> {
    /// Does the work in the context of `scope`, in which no script has run.
    pub(crate) fn perform(
        &mut self,
        scope: &mut v8::PinScope<'_, '_>,
        work: &Work,
    ) -> Result<Option<Value>, Halt> {
        self.evaluate(scope)?;
        let result = self.work(scope, work)?;
        self.code.share(scope, self.shared);
        Ok(result)
    }

    fn work(
        &mut self,
        scope: &mut v8::PinScope<'_, '_>,
        work: &Work,
    ) -> Result<Option<Value>, Halt> {
        match work {
            Work::Handle { world, handler, arguments } => {
                let found = find(scope, &self.current, world.phase, handler)?;
                *self.current.world.borrow_mut() = Some(world.clone());
                self.handle(scope, &found, arguments).map_err(|halt| {
                    halt.map(|fault| {
                        fault.at(exception::definition_of(&self.current, found.function))
                    })
                })
            }
            Work::Describe => {
                let workflow = workflow(scope, &self.current)?;
                self.refuse_rejections(scope)?;
                let description = value::describe(scope, &self.current, workflow)
                    .map_err(|halt| halt.context("`workflow` cannot be described"))?;
                Ok(description.map(|description| description.value))
            }
        }
    }

    /// Evaluates the file, including the microtasks that it queues.
    fn evaluate(&mut self, scope: &mut v8::PinScope<'_, '_>) -> Result<(), Halt> {
        let script = self.code.compile(scope, &self.current, self.shared)?;
        attempt(scope, &self.current, |scope| script.run(scope))?;
        self.checkpoint(scope)
    }

    fn handle(
        &mut self,
        scope: &mut v8::PinScope<'_, '_>,
        found: &Found<'_>,
        arguments: &[Value],
    ) -> Result<Option<Value>, Halt> {
        let current = Rc::clone(&self.current);
        let arguments: Vec<_> = arguments
            .iter()
            .map(|argument| value::to_script(scope, &current, &argument.to_string()))
            .collect::<Result<_, _>>()?;
        let promise = attempt(scope, &current, |scope| {
            let result = found.function.call(scope, found.handler.into(), &arguments)?;
            promise_of(scope, result)
        })?;
        let result = self.wait(scope, promise)?;
        self.finish_open_calls(scope)?;
        self.refuse_rejections(scope)?;
        let result = value::from_script(scope, &current, result)
            .map_err(|halt| halt.context("the result cannot be kept"))?;
        Ok(result.map(|result| result.value))
    }

    /// Runs the script until its promise is settled.
    fn wait<'s>(
        &mut self,
        scope: &mut v8::PinScope<'s, '_>,
        promise: v8::Local<'s, v8::Promise>,
    ) -> Result<v8::Local<'s, v8::Value>, Halt> {
        loop {
            self.checkpoint(scope)?;
            match promise.state() {
                v8::PromiseState::Fulfilled => return Ok(promise.result(scope)),
                v8::PromiseState::Rejected => return Err(self.rejected(scope, promise).into()),
                v8::PromiseState::Pending => self.take_replies(scope)?,
            }
        }
    }

    /// Waits for publications that the handler began and did not await: their answers carry nothing. Any other call that is still
    /// open is a failure, because the script continues nowhere with its answer.
    fn finish_open_calls(&mut self, scope: &mut v8::PinScope<'_, '_>) -> Result<(), Halt> {
        loop {
            if let Some(fault) = unfinished(&self.current) {
                return Err(fault.into());
            }
            if self.current.pending.borrow().is_empty() {
                return Ok(());
            }
            self.take_replies(scope)?;
            self.checkpoint(scope)?;
        }
    }

    /// The failure that a rejected promise means.
    fn rejected<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        promise: v8::Local<'s, v8::Promise>,
    ) -> Fault {
        let known = |rejection: &&Rejection| rejection.promise == promise;
        let at = self.current.rejections.borrow().iter().find(known).and_then(|known| known.at);
        let reason = promise.result(scope);
        // An error has its own position, which is better than that of the promise that was rejected with it.
        let at = at.filter(|_| !reason.is_native_error());
        exception::fault_of(scope, &self.current, reason, at)
    }

    /// Refuses to continue after a promise was rejected without a handler.
    fn refuse_rejections(&self, scope: &mut v8::PinScope<'_, '_>) -> Result<(), Halt> {
        let first = self.current.rejections.borrow().first().map(|first| first.promise.clone());
        let Some(promise) = first else { return Ok(()) };
        let promise = v8::Local::new(scope, promise);
        let fault = self.rejected(scope, promise);
        Err(Halt::from(fault).context("a promise that nobody awaits was rejected"))
    }

    /// Runs the microtasks that are ready.
    fn checkpoint(&self, scope: &mut v8::PinScope<'_, '_>) -> Result<(), Halt> {
        scope.perform_microtask_checkpoint();
        let is_stopped = halt::may_not_halt(|| self.runtime.is_stopped());
        if self.current.is_over() || is_stopped || scope.is_execution_terminating() {
            return Err(Halt::Terminated);
        }
        Ok(())
    }

    /// Waits for replies and resolves their promises.
    fn take_replies(&mut self, scope: &mut v8::PinScope<'_, '_>) -> Result<(), Halt> {
        halt::may_not_halt(|| self.runtime.spawn_replies(&self.current));
        if self.current.pending.borrow().is_empty() {
            let message = "the handler waits for a promise that nothing will ever settle";
            return Err(Fault::logic("stuck", message).into());
        }
        for HostReply { number, result } in halt::may_not_halt(|| self.runtime.wait()) {
            let current = &self.current;
            current.spawned.set(current.spawned.get().saturating_sub(1));
            let Some(pending) = current.pending.borrow_mut().remove(&number) else { continue };
            v8::scope!(let scope, scope);
            let resolver = v8::Local::new(scope, &pending.resolver);
            host::settle(scope, &self.current, resolver, &pending.site, result)?;
        }
        Ok(())
    }
}

/// The failure of a handler that returned while one of its calls was open whose answer it needs.
fn unfinished(current: &ActiveCall) -> Option<Fault> {
    let pending = current.pending.borrow();
    let mut open = pending.values().filter(|call| call.operation != Operation::TopicPublish);
    let first = &open.next()?.site;
    let others = match open.count() {
        0 => String::new(),
        1 => " (and one more call)".to_owned(),
        count => format!(" (and {count} more calls)"),
    };
    let message = format!(
        "the handler returned while its call of `{}` was still open{others}: what follows the call was not done. \
         Write `await` before it and before every async function on the way to it; several at once are awaited with \
         `await Promise.all(items.map(async (item) => …))`, never with `forEach`",
        first.function
    );
    Some(Fault::logic("unfinished_call", message).at(first.at.clone()))
}

/// A handler's function and the object it belongs to.
struct Found<'s> {
    handler: v8::Local<'s, v8::Object>,
    function: v8::Local<'s, v8::Function>,
}

/// Finds the function of the handler `name` by own keys only: any name is allowed, and no prototype is searched.
fn find<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    current: &ActiveCall,
    phase: ScriptPhase,
    name: &str,
) -> Result<Found<'s>, Halt> {
    let (group, kind) = match phase {
        ScriptPhase::Producer => ("producers", "producer"),
        ScriptPhase::Prepare | ScriptPhase::Mutate | ScriptPhase::Next => ("consumers", "consumer"),
    };
    let part = host::function_of(phase);
    let found = attempt(scope, current, |scope| {
        let Some(workflow) = lookup(scope)?.to_object(scope) else { return Some(None) };
        let Some(group) = own(scope, workflow, group)? else { return Some(None) };
        let Some(handler) = own(scope, group, name)? else { return Some(None) };
        let Some(function) = own(scope, handler, part)? else { return Some(None) };
        Some(function.try_cast::<v8::Function>().ok().map(|function| Found { handler, function }))
    })?;
    found.ok_or_else(|| {
        let message = format!("the script has no function `{part}` of a {kind} `{name}`");
        Fault::logic("no_handler", message).into()
    })
}

/// The object under an own key. The outer `None`: V8 threw.
fn own<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    object: v8::Local<'s, v8::Object>,
    key: &str,
) -> Option<Option<v8::Local<'s, v8::Object>>> {
    let key = v8::String::new(scope, key)?;
    if !object.has_own_property(scope, key.into())? {
        return Some(None);
    }
    Some(object.get(scope, key.into())?.try_cast::<v8::Object>().ok())
}

/// The script's `workflow`, however it is declared.
fn workflow<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    current: &ActiveCall,
) -> Result<v8::Local<'s, v8::Value>, Halt> {
    attempt(scope, current, lookup)
}

fn lookup<'s>(scope: &mut v8::PinScope<'s, '_>) -> Option<v8::Local<'s, v8::Value>> {
    // A lexical binding is no property of the global object: only a script can see it.
    let source = v8::String::new(scope, "typeof workflow === 'undefined' ? undefined : workflow")?;
    v8::Script::compile(scope, source, None)?.run(scope)
}

/// What a handler returned, as a promise: a handler need not be async.
fn promise_of<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    result: v8::Local<'s, v8::Value>,
) -> Option<v8::Local<'s, v8::Promise>> {
    if let Ok(promise) = result.try_cast::<v8::Promise>() {
        return Some(promise);
    }
    let resolver = v8::PromiseResolver::new(scope)?;
    resolver.resolve(scope, result)?;
    Some(resolver.get_promise(scope))
}
