//! Globals that many environments have and that are no access to anything outside: `URL`, `TextEncoder`, `sha256` and others. A context
//! that does not use them pays only for their names.
#![expect(clippy::needless_pass_by_value, reason = "V8 gives a function its arguments by value")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use encoding_rs::Encoding;
use sha2::{Digest as _, Sha256};
use url::{Url, quirks};

const SOURCE: &str = include_str!("extras.js");

/// Their names.
pub(crate) const NAMES: [&str; 9] = [
    "TextDecoder",
    "TextEncoder",
    "URL",
    "URLSearchParams",
    "btoa",
    "formatCsv",
    "parseCsv",
    "sha256",
    "structuredClone",
];

/// A longer address is none.
const URL_BYTES: usize = 1 << 20;

/// Makes the names known. What they stand for is made at their first use.
pub(crate) fn define(scope: &mut v8::PinScope<'_, '_>) -> Option<()> {
    let global = scope.get_current_context().global(scope);
    for name in NAMES {
        let key = v8::String::new(scope, name)?;
        global.set_lazy_data_property(scope, key.into(), first_use)?;
    }
    Some(())
}

/// Gives the value of a name that is used for the first time in its context.
fn first_use<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    name: v8::Local<'s, v8::Name>,
    _arguments: v8::PropertyCallbackArguments<'s>,
    mut result: v8::ReturnValue<'_, v8::Value>,
) {
    let value = all(scope).and_then(|all| all.get(scope, name.into()));
    value.into_iter().for_each(|value| result.set(value));
}

/// The values of all names, made once in a context.
fn all<'s>(scope: &mut v8::PinScope<'s, '_>) -> Option<v8::Local<'s, v8::Object>> {
    let name = v8::String::new(scope, "extras")?;
    let key = v8::Private::for_api(scope, Some(name));
    let global = scope.get_current_context().global(scope);
    if let Some(all) = global.get_private(scope, key).and_then(|it| it.try_cast().ok()) {
        return Some(all);
    }
    let source = v8::String::new(scope, SOURCE)?;
    let make = v8::Script::compile(scope, source, None)?.run(scope)?;
    let make = make.try_cast::<v8::Function>().ok()?;
    let native = native(scope)?;
    let undefined = v8::undefined(scope).into();
    let all = make.call(scope, undefined, &[native.into()])?.try_cast::<v8::Object>().ok()?;
    global.set_private(scope, key, all.into())?;
    Some(all)
}

fn native<'s>(scope: &mut v8::PinScope<'s, '_>) -> Option<v8::Local<'s, v8::Object>> {
    let object = v8::Object::new(scope);
    let functions = [
        ("decodeText", v8::Function::new(scope, decode_text)?),
        ("digest", v8::Function::new(scope, digest)?),
        ("parseUrl", v8::Function::new(scope, parse_url)?),
        ("setUrl", v8::Function::new(scope, set_url)?),
        ("toBase64", v8::Function::new(scope, to_base64)?),
    ];
    for (name, function) in functions {
        let key = v8::String::new(scope, name)?;
        object.create_data_property(scope, key.into(), function.into())?;
    }
    Some(object)
}

/// `decodeText(bytes, label, fatal, keepMark)`: the text that bytes are in a character encoding.
fn decode_text<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    arguments: v8::FunctionCallbackArguments<'s>,
    mut result: v8::ReturnValue<'s, v8::Value>,
) {
    let label = arguments.get(1).to_rust_string_lossy(scope);
    let Some(encoding) = Encoding::for_label(label.as_bytes()) else {
        return throw(scope, v8::Exception::range_error, "there is no such character encoding");
    };
    let (is_fatal, keeps_mark) = (arguments.get(2).is_true(), arguments.get(3).is_true());
    let Some(bytes) = bytes_of(arguments.get(0)) else { return };
    let bytes = match Encoding::for_bom(&bytes) {
        Some((of, length)) if of == encoding && !keeps_mark => bytes.get(length..),
        Some(_) | None => Some(&*bytes),
    };
    let (text, is_damaged) = encoding.decode_without_bom_handling(bytes.unwrap_or_default());
    if is_damaged && is_fatal {
        return throw(scope, v8::Exception::type_error, "the bytes are no text in this encoding");
    }
    set_text(scope, &text, &mut result);
}

/// `digest(textOrBytes)`: the SHA-256, in hexadecimal digits.
fn digest<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    arguments: v8::FunctionCallbackArguments<'s>,
    mut result: v8::ReturnValue<'s, v8::Value>,
) {
    let digest = match bytes_of(arguments.get(0)) {
        Some(bytes) => Sha256::digest(&bytes),
        None => Sha256::digest(arguments.get(0).to_rust_string_lossy(scope)),
    };
    set_text(scope, &format!("{digest:x}"), &mut result);
}

/// `toBase64(text)`: one byte per character, as browsers do.
fn to_base64<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    arguments: v8::FunctionCallbackArguments<'s>,
    mut result: v8::ReturnValue<'s, v8::Value>,
) {
    let text = arguments.get(0).to_rust_string_lossy(scope);
    let bytes: Result<Vec<u8>, _> = text.chars().map(|c| u8::try_from(u32::from(c))).collect();
    match bytes {
        Ok(bytes) => set_text(scope, &STANDARD.encode(bytes), &mut result),
        Err(_too_large) => throw(
            scope,
            v8::Exception::range_error,
            "`btoa` takes characters up to U+00FF: encode the text with `TextEncoder` first",
        ),
    }
}

/// `parseUrl(text, base)`: the parts of an address, or null.
fn parse_url<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    arguments: v8::FunctionCallbackArguments<'s>,
    mut result: v8::ReturnValue<'s, v8::Value>,
) {
    let text = arguments.get(0).to_rust_string_lossy(scope);
    let base = arguments.get(1);
    let base = (!base.is_undefined()).then(|| base.to_rust_string_lossy(scope));
    let fits = text.len() + base.as_ref().map_or(0, String::len) <= URL_BYTES;
    let url = match base {
        _ if !fits => None,
        None => Url::parse(&text).ok(),
        Some(base) => Url::parse(&base).and_then(|base| base.join(&text)).ok(),
    };
    set_parts(scope, url.as_ref(), &mut result);
}

/// `setUrl(href, part, value)`: the parts of an address after one was set, or null. What cannot be set stays.
fn set_url<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    arguments: v8::FunctionCallbackArguments<'s>,
    mut result: v8::ReturnValue<'s, v8::Value>,
) {
    let [href, part, value] =
        [0, 1, 2].map(|index| arguments.get(index).to_rust_string_lossy(scope));
    let changed = Url::parse(&href).ok().and_then(|mut url| {
        if value.len() > URL_BYTES {
            return None;
        }
        // The standard says so: a part that cannot be set stays as it is.
        match &*part {
            "href" => return Url::parse(&value).ok(),
            "protocol" => quirks::set_protocol(&mut url, &value).unwrap_or_default(),
            "username" => quirks::set_username(&mut url, &value).unwrap_or_default(),
            "password" => quirks::set_password(&mut url, &value).unwrap_or_default(),
            "host" => quirks::set_host(&mut url, &value).unwrap_or_default(),
            "hostname" => quirks::set_hostname(&mut url, &value).unwrap_or_default(),
            "port" => quirks::set_port(&mut url, &value).unwrap_or_default(),
            "pathname" => quirks::set_pathname(&mut url, &value),
            "search" => quirks::set_search(&mut url, &value),
            _ => quirks::set_hash(&mut url, &value),
        }
        Some(url)
    });
    set_parts(scope, changed.as_ref(), &mut result);
}

fn set_parts(
    scope: &mut v8::PinScope<'_, '_>,
    url: Option<&Url>,
    result: &mut v8::ReturnValue<'_, v8::Value>,
) {
    let Some(url) = url else { return result.set_null() };
    let origin = quirks::origin(url);
    let parts = [
        quirks::href(url),
        &origin,
        quirks::protocol(url),
        quirks::username(url),
        quirks::password(url),
        quirks::host(url),
        quirks::hostname(url),
        quirks::port(url),
        quirks::pathname(url),
        quirks::search(url),
        quirks::hash(url),
    ];
    let mut texts: Vec<v8::Local<'_, v8::Value>> = Vec::with_capacity(parts.len());
    for part in parts {
        let Some(text) = v8::String::new(scope, part) else { return };
        texts.push(text.into());
    }
    result.set(v8::Array::new_with_elements(scope, &texts).into());
}

/// The bytes of a view, copied.
fn bytes_of(value: v8::Local<'_, v8::Value>) -> Option<Vec<u8>> {
    let view = value.try_cast::<v8::ArrayBufferView>().ok()?;
    let mut bytes = vec![0; view.byte_length()];
    let length = view.copy_contents(&mut bytes);
    bytes.truncate(length);
    Some(bytes)
}

fn set_text(
    scope: &mut v8::PinScope<'_, '_>,
    text: &str,
    result: &mut v8::ReturnValue<'_, v8::Value>,
) {
    match v8::String::new(scope, text) {
        Some(text) => result.set(text.into()),
        None => throw(scope, v8::Exception::range_error, "the text is too long"),
    }
}

fn throw<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    kind: fn(&v8::PinScope<'s, '_>, v8::Local<'_, v8::String>) -> v8::Local<'s, v8::Value>,
    message: &str,
) {
    if let Some(message) = v8::String::new(scope, message) {
        let error = kind(scope, message);
        scope.throw_exception(error);
    }
}
