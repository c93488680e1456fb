// Evaluated in every fresh context before the script. It takes away what is ambient, and keeps hold of the built-in
// functions that the host itself relies on, so that a script which tampers with them harms only itself.
((write, FUNCTION) => {
  "use strict";
  const ambient = ["Atomics", "FinalizationRegistry", "SharedArrayBuffer", "Temporal", "WeakRef", "WebAssembly"];
  for (const name of ambient) delete globalThis[name];

  const { stringify } = JSON;
  const { freeze, fromEntries } = Object;
  const { from, isArray } = Array;
  const { isView } = ArrayBuffer;
  const { DataView, Error, Map, Set, String, TypeError } = globalThis;

  // JSON as scripts expect it, except that nothing is lost in silence: maps and sets are written out, functions refused.
  const plain = (key, value) => {
    if (typeof value === "function") throw new TypeError(`${key === "" ? "it" : `\`${key}\``} is a function`);
    if (typeof value !== "object" || value === null || isArray(value)) return value;
    if (value instanceof Map) return fromEntries(value);
    if (value instanceof Set || (isView(value) && !(value instanceof DataView))) return from(value);
    return value;
  };
  const toJson = (value) => stringify(value, plain);

  // What a value declares: JSON with its functions marked.
  const describe = (value) => stringify(value, (_, member) => (typeof member === "function" ? FUNCTION : member));

  const forLog = (_, value) => {
    if (typeof value === "bigint") return `${String(value)}n`;
    if (typeof value === "function") return `[function ${value.name}]`;
    return plain(_, value);
  };
  const show = (value) => {
    if (typeof value !== "object" || value === null || value instanceof Error) return String(value);
    try {
      return stringify(value, forLog);
    } catch (error) {
      return `[${error}]`;
    }
  };
  const line = (level) => (...values) => {
    let text = "";
    for (let i = 0; i < values.length; i++) text += (i === 0 ? "" : " ") + show(values[i]);
    write(level, text);
  };
  const log = line("log");
  globalThis.console = freeze({ log, info: log, debug: log, warn: line("warn"), error: line("error") });

  return [toJson, describe];
})
