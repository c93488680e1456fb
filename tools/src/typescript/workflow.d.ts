// What a Windlass script is, and what it can call.
//
// A script declares one `const workflow`. Producers read the outside world and publish events. Consumers process the events
// in three phases: `prepare` reads and decides, `mutate` makes at most one change to the outside world, and `next` publishes
// events and saves state. Every call evaluates the script anew. Nothing is kept between calls but arguments and results.
//
// Dates are in the time zone of the configuration, `timezone`, as schedules are that name none. Texts of numbers and dates are
// those of the locale en-US unless the script names another one.
//
// A function awaits every call that it makes. If a handler returns before one of its calls is answered, it fails and nothing
// of it is kept; `forEach` awaits nothing. Only publications that are still on their way are waited for.

/** The declaration of a workflow, `const workflow`. */
interface Workflow {
  /** The topics that events are published to, by name. */
  topics: { [name: string]: {} };
  /** Kinds of inputs beside those of the tools: the types that a source yields, such as `{ Shopify: ["order"] }`. */
  inputs?: { [source: string]: string[] };
  /** The handlers that read the outside world, by name. */
  producers?: { [name: string]: Producer };
  /** The handlers that process events, by name. */
  consumers?: { [name: string]: Consumer };
}

interface Producer<State = any> {
  /** The topics it publishes to: at least one. */
  publishes: string[];
  /** An interval is a whole number of s, m, h or d, such as "5m". A cron expression has five fields. */
  schedule: { interval: string } | { cron: string; timezone?: string };
  /**
   * Reads, registers inputs and publishes events. These and the returned state are saved together or not at all.
   * `state` is what was returned last time, null at first. If nothing is returned, the state stays as it is.
   */
  handler(state: State | null): Promise<State | void> | State | void;
}

interface Consumer<State = any, Data = any, Result = any> {
  /** The topics whose events it processes: at least one. */
  subscribe: string[];
  /** The topics that `next` publishes to. */
  publishes?: string[];
  /**
   * What a failure about one event stops. `"park"`, the default: the event is set aside with its reason, and the others continue.
   * `"stop"`: the whole workflow, because the order of the events matters.
   */
  onFailure?: "park" | "stop";
  /**
   * What a definite refusal of the request of `mutate` leads to, such as a status 404 or 422. `"fail"`, the default: its event is parked.
   * `"next"`: the run goes on, `next` is told of it, and the events are consumed.
   */
  refused?: "fail" | "next";
  /** Reads, chooses events and computes everything. It may run any number of times. */
  prepare(state: State | null): Promise<PrepareResult<Data>> | PrepareResult<Data>;
  /** Calls at most one tool that changes something. The script ends with that call. */
  mutate?(prepared: PrepareResult<Data>): Promise<void> | void;
  /**
   * Publishes events and returns the new state. If nothing is returned, the state stays as it is.
   * It runs after every `prepare`, also if that reserved nothing. Then the status is "none", and `data` is what `prepare`
   * returned, perhaps nothing.
   */
  next?(prepared: PrepareResult<Data>, mutationResult: MutationResult<Result>): Promise<State | void> | State | void;
}

/** What `prepare` decided. */
interface PrepareResult<Data = any> {
  /** The events to process, by topic. If there are none, `mutate` is not called; new events or `wakeAt` start the next run. */
  reservations: { topic: string; ids: string[] }[];
  /** Anything that `mutate` and `next` need, as JSON. */
  data?: Data;
  /** How the change is shown to people. */
  ui?: { title?: string };
  /** When to run again without a new event: an ISO 8601 instant, from 30 seconds to a day ahead. Anything else is a failure. */
  wakeAt?: string;
}

/** How `mutate` ended: with its tool's answer, without a call, skipped by a person, or refused where the consumer expects that. */
type MutationResult<Result = any> =
  | { status: "applied"; result: Result }
  | { status: "none" }
  | { status: "skipped" }
  | { status: "refused"; error: { code: "refused"; message: string } };

/** Writes to the log of the run. */
declare const console: {
  log(...values: any[]): void;
  info(...values: any[]): void;
  debug(...values: any[]): void;
  warn(...values: any[]): void;
  error(...values: any[]): void;
};

/** What a call came to that a script attempts: its answer, or what is wrong with what it should read. */
type Attempt<Value> =
  | { ok: true; value: Value }
  | { ok: false; error: { code: "not_found" | "unreadable" | "too_big" | "refused"; message: string } };

/**
 * Calls a function that reads, in a producer or in `prepare`, and hands over a failure that is about the data: it does not exist, it
 * cannot be read as what the function expects, it is too big, or the other side refuses the request for what it says.
 * Any other failure, of the network, of rights or of Windlass, ends the script as always.
 * Example: `const file = await attempt(Files.read, { path }); if (!file.ok) return skip(file.error.message);`
 */
declare function attempt<Input, Value>(read: (input: Input) => Promise<Value>, input: Input): Promise<Attempt<Value>>;

/** Decodes Base64: one character per byte. */
declare function atob(text: string): string;

/** Encodes characters up to U+00FF as Base64. */
declare function btoa(text: string): string;

/** The SHA-256 of a text, as UTF-8, or of bytes, in hexadecimal digits. */
declare function sha256(value: string | ArrayBuffer | ArrayBufferView): string;

/** A deep copy of data: lists, objects, dates, maps, sets, bytes and errors, also with circles. */
declare function structuredClone<T>(value: T): T;

/**
 * Reads a CSV text as rows of fields. With `header`, the first row names the properties of the others. Quoted fields may contain
 * separators, quotes and line ends. Empty lines are left out.
 */
declare function parseCsv(text: string, options: { separator?: string; header: true }): { [name: string]: string }[];
declare function parseCsv(text: string, options?: { separator?: string; header?: false }): string[][];

/** Writes rows of fields, or objects with a row of their names before them, as a CSV text that ends with a line end. */
declare function formatCsv(rows: any[][] | { [name: string]: any }[], options?: { separator?: string }): string;

/** An address, as browsers read it. */
declare class URL {
  constructor(url: string | URL, base?: string | URL);
  static canParse(url: string | URL, base?: string | URL): boolean;
  static parse(url: string | URL, base?: string | URL): URL | null;
  href: string;
  readonly origin: string;
  protocol: string;
  username: string;
  password: string;
  host: string;
  hostname: string;
  port: string;
  pathname: string;
  search: string;
  hash: string;
  readonly searchParams: URLSearchParams;
  toString(): string;
  toJSON(): string;
}

/** The parameters in the query of an address. */
declare class URLSearchParams {
  constructor(init?: string | URLSearchParams | Iterable<[string, string]> | { [name: string]: string });
  readonly size: number;
  append(name: string, value: string): void;
  delete(name: string, value?: string): void;
  get(name: string): string | null;
  getAll(name: string): string[];
  has(name: string, value?: string): boolean;
  set(name: string, value: string): void;
  sort(): void;
  forEach(action: (value: string, name: string, params: URLSearchParams) => void): void;
  entries(): IterableIterator<[string, string]>;
  keys(): IterableIterator<string>;
  values(): IterableIterator<string>;
  [Symbol.iterator](): IterableIterator<[string, string]>;
  toString(): string;
}

/** A text as UTF-8. */
declare class TextEncoder {
  readonly encoding: string;
  encode(text?: string): Uint8Array;
}

/** Bytes as text: UTF-8, or another encoding by its label. */
declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  readonly encoding: string;
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  decode(bytes?: ArrayBuffer | ArrayBufferView): string;
}

/** The documentation of the functions whose names begin with this, for example `Files` or `Files.append`. */
declare function getDocs(nameOrPrefix?: string): string;
