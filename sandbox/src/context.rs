//! The world in which a script is evaluated: JavaScript itself, the builtins, and the functions that the host offers.

use std::collections::BTreeMap;

use windlass_core::FUNCTION;

use crate::builtins;
use crate::current::{Current, Helpers};
use crate::exception::attempt;
use crate::fault::{Fault, Halt};
use crate::host;

const BOOTSTRAP: &str = include_str!("bootstrap.js");

/// What scripts can neither replace nor redeclare.
const FIXED: v8::PropertyAttribute = v8::PropertyAttribute::READ_ONLY;

/// Furnishes the context of `scope`, which is fresh.
pub(crate) fn furnish(scope: &mut v8::PinScope<'_, '_>, current: &Current) -> Result<(), Halt> {
    attempt(scope, current, |scope| {
        bootstrap(scope, current)?;
        define_builtins(scope)?;
        define_namespaces(scope, current)
    })
    .map_err(|halt| halt.map(|fault| Fault::internal(fault.failure.message)))
}

fn bootstrap(scope: &mut v8::PinScope<'_, '_>, current: &Current) -> Option<()> {
    let source = v8::String::new(scope, BOOTSTRAP)?;
    let script = v8::Script::compile(scope, source, None)?;
    let furnish = script.run(scope)?.try_cast::<v8::Function>().ok()?;
    let write = v8::Function::new(scope, builtins::write)?.into();
    let mark = v8::String::new(scope, FUNCTION)?.into();
    let undefined = v8::undefined(scope).into();
    let helpers = furnish.call(scope, undefined, &[write, mark])?.try_cast::<v8::Object>().ok()?;
    let to_json = helpers.get_index(scope, 0)?.try_cast::<v8::Function>().ok()?;
    let describe = helpers.get_index(scope, 1)?.try_cast::<v8::Function>().ok()?;
    current
        .helpers
        .set(Helpers {
            to_json: v8::Global::new(scope, to_json),
            describe: v8::Global::new(scope, describe),
        })
        .ok()
}

fn define_builtins(scope: &mut v8::PinScope<'_, '_>) -> Option<()> {
    let global = scope.get_current_context().global(scope);
    let atob = v8::Function::new(scope, builtins::atob)?;
    let get_docs = v8::Function::new(scope, builtins::get_docs)?;
    for (name, function) in [("atob", atob), ("getDocs", get_docs)] {
        let key = v8::String::new(scope, name)?;
        global.define_own_property(
            scope,
            key.into(),
            function.into(),
            FIXED | v8::PropertyAttribute::DONT_DELETE,
        )?;
    }
    Some(())
}

fn define_namespaces(scope: &mut v8::PinScope<'_, '_>, current: &Current) -> Option<()> {
    let global = scope.get_current_context().global(scope);
    let mut namespaces: BTreeMap<&str, v8::Local<'_, v8::Object>> = BTreeMap::new();
    for (index, function) in current.functions.iter().enumerate() {
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
