// What scripts expect of JavaScript and V8 does not have. Evaluated in a context at the first use of one of the names.
((native) => {
  "use strict";
  const { decodeText, digest, parseUrl, setUrl, toBase64 } = native;

  class URLSearchParams {
    #pairs = [];
    #changed = null;

    constructor(init = "") {
      if (typeof init === "object" && init !== null) {
        const pairs = typeof init[Symbol.iterator] === "function" ? [...init] : Object.entries(init);
        for (const pair of pairs) {
          const [name, value, more] = pair;
          if (value === undefined || more !== undefined) throw new TypeError("each pair has a name and a value");
          this.#pairs.push([text(name), text(value)]);
        }
      } else {
        this.#read(text(init));
      }
    }

    #read(query) {
      this.#pairs = (query.startsWith("?") ? query.slice(1) : query)
        .split("&")
        .filter((part) => part !== "")
        .map((part) => {
          const at = part.indexOf("=");
          return at < 0 ? [fromForm(part), ""] : [fromForm(part.slice(0, at)), fromForm(part.slice(at + 1))];
        });
    }

    // How a URL keeps its parameters: it reads them anew, and is told when they change.
    static link(params, query, changed) {
      params.#read(query);
      params.#changed = changed;
    }

    #write(pairs) {
      this.#pairs = pairs;
      this.#changed?.(this.toString());
    }

    get size() {
      return this.#pairs.length;
    }
    append(name, value) {
      this.#write([...this.#pairs, [text(name), text(value)]]);
    }
    delete(name, value) {
      this.#write(this.#pairs.filter(([key, is]) => key !== text(name) || (value !== undefined && is !== text(value))));
    }
    get(name) {
      return this.#pairs.find(([key]) => key === text(name))?.[1] ?? null;
    }
    getAll(name) {
      return this.#pairs.filter(([key]) => key === text(name)).map(([, value]) => value);
    }
    has(name, value) {
      return this.#pairs.some(([key, is]) => key === text(name) && (value === undefined || is === text(value)));
    }
    set(name, value) {
      const at = this.#pairs.findIndex(([key]) => key === text(name));
      if (at < 0) return this.append(name, value);
      this.#write(
        this.#pairs
          .filter(([key], index) => index <= at || key !== text(name))
          .map((pair, index) => (index === at ? [pair[0], text(value)] : pair)),
      );
    }
    sort() {
      this.#write(this.#pairs.toSorted(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0)));
    }
    forEach(action, thisArg) {
      for (const [name, value] of this) action.call(thisArg, value, name, this);
    }
    *entries() {
      for (const [name, value] of this.#pairs) yield [name, value];
    }
    *keys() {
      for (const [name] of this.#pairs) yield name;
    }
    *values() {
      for (const [, value] of this.#pairs) yield value;
    }
    [Symbol.iterator]() {
      return this.entries();
    }
    toString() {
      return this.#pairs.map(([name, value]) => `${toForm(name)}=${toForm(value)}`).join("&");
    }
    toJSON() {
      return this.toString();
    }
    get [Symbol.toStringTag]() {
      return "URLSearchParams";
    }
  }
  const { link } = URLSearchParams;
  delete URLSearchParams.link;

  const text = (value) => `${value}`.toWellFormed();
  const fromForm = (part) => {
    const spaced = part.replaceAll("+", " ");
    if (!spaced.includes("%")) return spaced;
    const encoded = spaced.replace(/%(?![0-9a-f]{2})|[^%]+/giu, (other) => (other === "%" ? "%25" : encodeURIComponent(other)));
    const bytes = Uint8Array.from(encoded.match(/%..|[^%]/gu), (one) => (one.length > 1 ? parseInt(one.slice(1), 16) : one.charCodeAt(0)));
    return decodeText(bytes, "utf-8", false, true);
  };
  const toForm = (part) =>
    encodeURIComponent(part).replace(/[!'()~]|%20/gu, (one) => (one === "%20" ? "+" : `%${one.charCodeAt(0).toString(16).toUpperCase()}`));

  const PARTS = ["href", "origin", "protocol", "username", "password", "host", "hostname", "port", "pathname", "search", "hash"];

  class URL {
    #parts;
    #params = null;

    constructor(url, base) {
      this.#parts = parseUrl(text(url), base === undefined ? undefined : text(base));
      if (this.#parts === null) throw new TypeError(`Invalid URL: ${text(url).slice(0, 200)}`);
    }
    static canParse(url, base) {
      return parseUrl(text(url), base === undefined ? undefined : text(base)) !== null;
    }
    static parse(url, base) {
      return URL.canParse(url, base) ? new URL(url, base) : null;
    }
    // Reading and writing one of PARTS.
    static part(url, index) {
      return url.#parts[index];
    }
    static change(url, name, value) {
      const parts = setUrl(url.#parts[0], name, text(value));
      if (parts === null) throw new TypeError(`Invalid URL: ${text(value).slice(0, 200)}`);
      url.#parts = parts;
      if (url.#params) url.#link();
    }
    #link() {
      link(this.#params, this.search, (query) => {
        this.#parts = setUrl(this.#parts[0], "search", query);
      });
    }
    get searchParams() {
      if (!this.#params) {
        this.#params = new URLSearchParams();
        this.#link();
      }
      return this.#params;
    }
    toString() {
      return this.href;
    }
    toJSON() {
      return this.href;
    }
    get [Symbol.toStringTag]() {
      return "URL";
    }
  }
  const { part, change } = URL;
  delete URL.part;
  delete URL.change;
  PARTS.forEach((name, index) => {
    const set = name === "origin" ? undefined : function (value) { change(this, name, value); };
    Object.defineProperty(URL.prototype, name, { get() { return part(this, index); }, set, enumerable: true, configurable: true });
  });

  class TextEncoder {
    get encoding() {
      return "utf-8";
    }
    encode(value = "") {
      const source = text(value);
      const bytes = new Uint8Array(source.length * 3);
      let end = 0;
      for (const character of source) {
        const code = character.codePointAt(0);
        if (code < 0x80) {
          bytes[end++] = code;
        } else if (code < 0x800) {
          bytes[end++] = 0xc0 | (code >> 6);
          bytes[end++] = 0x80 | (code & 0x3f);
        } else if (code < 0x10000) {
          bytes[end++] = 0xe0 | (code >> 12);
          bytes[end++] = 0x80 | ((code >> 6) & 0x3f);
          bytes[end++] = 0x80 | (code & 0x3f);
        } else {
          bytes[end++] = 0xf0 | (code >> 18);
          bytes[end++] = 0x80 | ((code >> 12) & 0x3f);
          bytes[end++] = 0x80 | ((code >> 6) & 0x3f);
          bytes[end++] = 0x80 | (code & 0x3f);
        }
      }
      return bytes.slice(0, end);
    }
  }

  class TextDecoder {
    #label;
    #fatal;
    #ignoreBOM;
    constructor(label = "utf-8", { fatal = false, ignoreBOM = false } = {}) {
      this.#label = text(label);
      this.#fatal = Boolean(fatal);
      this.#ignoreBOM = Boolean(ignoreBOM);
      decodeText(new Uint8Array(0), this.#label, false, false);
    }
    get encoding() {
      return this.#label.trim().toLowerCase();
    }
    get fatal() {
      return this.#fatal;
    }
    get ignoreBOM() {
      return this.#ignoreBOM;
    }
    decode(bytes = new Uint8Array(0), options) {
      if (options?.stream) throw new TypeError("`stream` is not supported: give all bytes at once");
      return decodeText(asBytes(bytes), this.#label, this.#fatal, this.#ignoreBOM);
    }
  }

  const asBytes = (value) => {
    if (ArrayBuffer.isView(value)) return value;
    if (value instanceof ArrayBuffer) return new Uint8Array(value);
    throw new TypeError("bytes are a Uint8Array, another view or an ArrayBuffer");
  };

  const btoa = (value) => toBase64(text(value));

  const sha256 = (value) => {
    if (typeof value === "string") return digest(value.toWellFormed());
    return digest(asBytes(value));
  };

  const structuredClone = (value) => {
    const copies = new Map();
    const copyInto = (to, from) => {
      for (const key of Object.keys(from)) to[key] = copy(from[key]);
      return to;
    };
    const known = (from, to) => {
      copies.set(from, to);
      return to;
    };
    const copy = (from) => {
      if (typeof from === "function" || typeof from === "symbol") throw new TypeError(`a ${typeof from} cannot be cloned`);
      if (typeof from !== "object" || from === null) return from;
      if (copies.has(from)) return copies.get(from);
      if (Array.isArray(from)) return copyInto(known(from, new Array(from.length)), from);
      if (from instanceof Date) return known(from, new Date(from.getTime()));
      if (from instanceof RegExp) return known(from, new RegExp(from.source, from.flags));
      if (from instanceof ArrayBuffer) return known(from, from.slice(0));
      if (from instanceof DataView) return known(from, new DataView(copy(from.buffer), from.byteOffset, from.byteLength));
      if (ArrayBuffer.isView(from)) return known(from, new from.constructor(copy(from.buffer), from.byteOffset, from.length));
      if (from instanceof Map) {
        const to = known(from, new Map());
        from.forEach((item, key) => to.set(copy(key), copy(item)));
        return to;
      }
      if (from instanceof Set) {
        const to = known(from, new Set());
        from.forEach((item) => to.add(copy(item)));
        return to;
      }
      if (from instanceof Error) {
        const to = known(from, Object.create(Object.getPrototypeOf(from)));
        for (const key of ["name", "message", "stack", "cause"]) {
          if (key in from) Object.defineProperty(to, key, { value: copy(from[key]), writable: true, configurable: true });
        }
        return to;
      }
      return copyInto(known(from, {}), from);
    };
    return copy(value);
  };

  const separatorOf = ({ separator = "," } = {}) => {
    if (typeof separator !== "string" || separator.length !== 1 || '"\r\n'.includes(separator)) {
      throw new TypeError("the separator of a CSV text is one character");
    }
    return separator;
  };

  const parseCsv = (source, options) => {
    const separator = separatorOf(options);
    const all = text(source).replace(/^\uFEFF/u, "");
    const rows = [];
    let row = [];
    let at = 0;
    while (at < all.length) {
      let field = "";
      if (all[at] === '"') {
        for (;;) {
          const end = all.indexOf('"', at + 1);
          if (end < 0) throw new SyntaxError(`a quote in row ${rows.length + 1} of the CSV text has no end`);
          field += all.slice(at + 1, end);
          at = end + 1;
          if (all[at] !== '"') break;
          field += '"';
        }
      }
      let end = at;
      while (end < all.length && all[end] !== separator && all[end] !== "\n" && all[end] !== "\r") end++;
      row.push(field + all.slice(at, end));
      at = end;
      if (all[at] === separator) {
        at++;
        if (at < all.length) continue;
        row.push("");
      }
      rows.push(row);
      row = [];
      at += all[at] === "\r" && all[at + 1] === "\n" ? 2 : 1;
    }
    const filled = rows.filter((fields) => fields.length > 1 || fields[0] !== "");
    if (!options?.header) return filled;
    const [names = [], ...items] = filled;
    return items.map((fields) => Object.fromEntries(names.map((name, index) => [name, fields[index] ?? ""])));
  };

  const formatCsv = (rows, options) => {
    const separator = separatorOf(options);
    const field = (value) => {
      const plain = value === null || value === undefined ? "" : text(value);
      const needsQuotes = plain.includes(separator) || /["\r\n]|^\s|\s$/u.test(plain);
      return needsQuotes ? `"${plain.replaceAll('"', '""')}"` : plain;
    };
    const list = [...rows];
    const isTable = list.every(Array.isArray);
    const names = isTable ? [] : [...new Set(list.flatMap((item) => Object.keys(item)))];
    const table = isTable ? list : [names, ...list.map((item) => names.map((name) => item[name]))];
    return table.map((fields) => `${fields.length === 1 && field(fields[0]) === "" ? '""' : fields.map(field).join(separator)}\n`).join("");
  };

  return { URL, URLSearchParams, TextEncoder, TextDecoder, btoa, sha256, structuredClone, parseCsv, formatCsv };
})
