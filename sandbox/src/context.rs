//! The context in which a script is evaluated: JavaScript itself, the built-in functions and those of the host.

use std::collections::BTreeMap;

use windlass_core::FUNCTION;

use crate::active_call::Helpers;
use crate::api::Function;
use crate::host;
use crate::{builtins, extras};

const BOOTSTRAP: &str = include_str!("bootstrap.js");

/// Properties that scripts can neither replace nor redeclare.
const FIXED: v8::PropertyAttribute = v8::PropertyAttribute::READ_ONLY;

/// A context in which no script has run.
pub(crate) struct FreshContext {
    pub(crate) context: v8::Global<v8::Context>,
    pub(crate) helpers: Helpers,
}

/// Makes a context and defines its functions. `None`: V8 has thrown, or has no memory left.
pub(crate) fn make(
    scope: &mut v8::PinScope<'_, '_, ()>,
    functions: &[Function],
) -> Option<FreshContext> {
    let context = v8::Context::new(scope, v8::ContextOptions::default());
    context.set_allow_generation_from_strings(false);
    let scope = &mut v8::ContextScope::new(scope, context);
    let helpers = bootstrap(scope)?;
    define_builtins(scope)?;
    extras::define(scope)?;
    define_namespaces(scope, functions)?;
    Some(FreshContext { context: v8::Global::new(scope, context), helpers })
}

fn bootstrap(scope: &mut v8::PinScope<'_, '_>) -> Option<Helpers> {
    let source = v8::String::new(scope, BOOTSTRAP)?;
    let script = v8::Script::compile(scope, source, None)?;
    let set_up = script.run(scope)?.try_cast::<v8::Function>().ok()?;
    let write = v8::Function::new(scope, builtins::write)?.into();
    let mark = v8::String::new(scope, FUNCTION)?.into();
    let undefined = v8::undefined(scope).into();
    let helpers = set_up.call(scope, undefined, &[write, mark])?.try_cast::<v8::Object>().ok()?;
    let to_json = helpers.get_index(scope, 0)?.try_cast::<v8::Function>().ok()?;
    let describe = helpers.get_index(scope, 1)?.try_cast::<v8::Function>().ok()?;
    Some(Helpers {
        to_json: v8::Global::new(scope, to_json),
        describe: v8::Global::new(scope, describe),
    })
}

fn define_builtins(scope: &mut v8::PinScope<'_, '_>) -> Option<()> {
    let global = scope.get_current_context().global(scope);
    let atob = v8::Function::new(scope, builtins::atob)?;
    let get_docs = v8::Function::new(scope, builtins::get_docs)?;
    // A script may have a function of this name.
    let attempt = v8::Function::new(scope, host::attempt)?;
    for (name, function, is_reserved) in
        [("atob", atob, true), ("getDocs", get_docs, true), ("attempt", attempt, false)]
    {
        let key = v8::String::new(scope, name)?;
        let attributes =
            if is_reserved { FIXED | v8::PropertyAttribute::DONT_DELETE } else { FIXED };
        global.define_own_property(scope, key.into(), function.into(), attributes)?;
    }
    Some(())
}

fn define_namespaces(scope: &mut v8::PinScope<'_, '_>, functions: &[Function]) -> Option<()> {
    let global = scope.get_current_context().global(scope);
    let mut namespaces: BTreeMap<&str, v8::Local<'_, v8::Object>> = BTreeMap::new();
    for (index, function) in functions.iter().enumerate() {
        let namespace =
            *namespaces.entry(&function.namespace).or_insert_with(|| v8::Object::new(scope));
        let index = v8::Integer::new_from_unsigned(scope, u32::try_from(index).ok()?);
        let call = v8::Function::builder(host::call)
            .data(index.into())
            .constructor_behavior(v8::ConstructorBehavior::Throw)
            .build(scope)?;
        let method = v8::String::new(scope, &function.method)?;
        call.set_name(method);
        namespace.create_data_property(scope, method.into(), call.into())?;
    }
    for (name, namespace) in namespaces {
        namespace.set_integrity_level(scope, v8::IntegrityLevel::Frozen)?;
        let key = v8::String::new(scope, name)?;
        global.define_own_property(
            scope,
            key.into(),
            namespace.into(),
            FIXED | v8::PropertyAttribute::DONT_DELETE,
        )?;
    }
    Some(())
}
