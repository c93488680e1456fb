//! Compiled code, so that a script is not compiled for every call.

use std::sync::Arc;

use crate::current::Current;
use crate::exception::attempt;
use crate::execution::origin;
use crate::fault::{Fault, Halt};

/// The code that an isolate ran last: threads are chosen by it.
#[derive(Default)]
pub(crate) struct CodeCache {
    last: Option<(Arc<str>, v8::Global<v8::UnboundScript>)>,
}

impl CodeCache {
    /// The script, bound to the context of `scope`.
    pub(crate) fn compile<'s>(
        &mut self,
        scope: &mut v8::PinScope<'s, '_>,
        current: &Current,
    ) -> Result<v8::Local<'s, v8::Script>, Halt> {
        let script = &current.source.script;
        if let Some((digest, code)) = &self.last
            && *digest == script.digest
        {
            let code = v8::Local::new(scope, code);
            return Ok(code.bind_to_current_context(scope));
        }
        let code = attempt(scope, current, |scope| {
            let text = v8::String::new(scope, &script.source)?;
            let origin = origin(scope, script)?;
            let mut source = v8::script_compiler::Source::new(text, Some(&origin));
            v8::script_compiler::compile_unbound_script(
                scope,
                &mut source,
                v8::script_compiler::CompileOptions::NoCompileOptions,
                v8::script_compiler::NoCacheReason::NoReason,
            )
        })
        .map_err(|halt| halt.map(|fault| Fault { code: "syntax_error", ..fault }))?;
        self.last = Some((Arc::clone(&script.digest), v8::Global::new(scope, code)));
        Ok(code.bind_to_current_context(scope))
    }
}
