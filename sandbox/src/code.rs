//! Compiled code, so that a script is not compiled for every call.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use v8::script_compiler::{
    CachedData, CompileOptions, NoCacheReason, Source, compile_unbound_script,
};

use crate::active_call::ActiveCall;
use crate::api::Script;
use crate::end::{Fault, Halt};
use crate::exception::attempt;
use crate::halt;

/// How much code all threads share. The code that was compiled first is dropped first.
const SHARED_BYTES: usize = 32 << 20;

/// Which script compiled code belongs to. The name is part of it because errors show it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    digest: Arc<str>,
    name: Arc<str>,
}

impl Key {
    fn of(script: &Script) -> Self {
        Self { digest: Arc::clone(&script.digest), name: Arc::clone(&script.name) }
    }
}

/// The code that all threads share, as V8 serialises it.
#[derive(Debug, Default)]
pub(crate) struct SharedCode(Mutex<VecDeque<(Key, Arc<[u8]>)>>);

impl SharedCode {
    fn find(&self, key: &Key) -> Option<Arc<[u8]>> {
        self.lock().iter().find(|(known, _)| known == key).map(|(_, code)| Arc::clone(code))
    }

    fn add(&self, key: Key, code: &[u8]) {
        let mut all = self.lock();
        if code.len() > SHARED_BYTES || all.iter().any(|(known, _)| *known == key) {
            return;
        }
        all.push_back((key, code.into()));
        while all.iter().map(|(_, code)| code.len()).sum::<usize>() > SHARED_BYTES {
            all.pop_front();
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Key, Arc<[u8]>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The code of the script that an isolate ran last. Threads are chosen by that script.
#[derive(Default)]
pub(crate) struct CodeCache {
    last: Option<Compiled>,
}

struct Compiled {
    key: Key,
    code: v8::Global<v8::UnboundScript>,
    /// Whether the other threads have it as well.
    is_shared: bool,
}

impl CodeCache {
    /// The script, bound to the context of `scope`.
    pub(crate) fn compile<'s>(
        &mut self,
        scope: &mut v8::PinScope<'s, '_>,
        current: &ActiveCall,
        shared: &SharedCode,
    ) -> Result<v8::Local<'s, v8::Script>, Halt> {
        let key = Key::of(&current.source.script);
        if let Some(last) = self.last.as_ref().filter(|last| last.key == key) {
            let code = v8::Local::new(scope, &last.code);
            return Ok(code.bind_to_current_context(scope));
        }
        let known = halt::may_not_halt(|| shared.find(&key));
        let code = attempt(scope, current, |scope| {
            unbound(scope, &current.source.script, known.as_deref())
        })
        .map_err(|halt| halt.map(|fault| Fault { code: "syntax_error", ..fault }))?;
        let is_shared = known.is_some();
        self.last = Some(Compiled { key, code: v8::Global::new(scope, code), is_shared });
        Ok(code.bind_to_current_context(scope))
    }

    /// Shares the compiled code with the other threads. After a call it includes the functions that were called.
    pub(crate) fn share(&mut self, scope: &mut v8::PinScope<'_, '_>, shared: &SharedCode) {
        let Some(last) = self.last.as_mut().filter(|last| !last.is_shared) else { return };
        last.is_shared = true;
        if let Some(data) = v8::Local::new(scope, &last.code).create_code_cache() {
            halt::may_not_halt(|| shared.add(last.key.clone(), &data));
        }
    }
}

fn unbound<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    script: &Script,
    known: Option<&[u8]>,
) -> Option<v8::Local<'s, v8::UnboundScript>> {
    let text = v8::String::new(scope, &script.source)?;
    let name = v8::String::new(scope, &script.name)?.into();
    let origin =
        v8::ScriptOrigin::new(scope, name, 0, 0, false, -1, None, false, false, false, None);
    let (mut source, options) = match known {
        Some(known) => {
            let source = Source::new_with_cached_data(text, Some(&origin), CachedData::new(known));
            (source, CompileOptions::ConsumeCodeCache)
        }
        None => (Source::new(text, Some(&origin)), CompileOptions::NoCompileOptions),
    };
    compile_unbound_script(scope, &mut source, options, NoCacheReason::NoReason)
}
