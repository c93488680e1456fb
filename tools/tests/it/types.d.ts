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

declare const Files: {
  /**
   * Adds one line to the end of a file: `Files.append({path, line, key?})` → `{path, bytes, size}`.
   *
   * The file and its folder are created where they are missing. Give a `key` wherever the line has one: a part
   * of the line that belongs to this one effect, such as a message id or an invoice number. After a crash the
   * line is then looked up; without a key, or with one that the line does not contain, a person is asked whether
   * it was written.
   *
   * It changes something: call it in `mutate`, which ends with the call.
   */
  append(input: {
    /** The file, for example `out/ledger.csv`. It is created where it does not exist. */
    path: string;
    /** One line. Its end is added. */
    line: string;
    /** A part of the line that no other line has, for example a message id: with it the line can be found again. */
    key?: string | null;
  }): Promise<{
    /** The file. */
    path: string;
    /** The length of the line with its end, in bytes. */
    bytes: number;
    /** The size of the file up to the end of the line, in bytes. */
    size: number;
  }>;
  /**
   * Deletes a file: `Files.delete({path})` → `{path}`.
   *
   * A file that does not exist is an error. Folders are not deleted.
   *
   * It changes something: call it in `mutate`, which ends with the call.
   */
  delete(input: {
    /** The file, for example `inbox/a.txt`. */
    path: string;
  }): Promise<{
    /** The file that is no more. */
    path: string;
  }>;
  /**
   * Lists the files of a folder: `Files.list({dir, pattern?})` → `[{path, name, size, modified}]`, sorted by
   * path.
   *
   * Folders in it are not listed and not entered; call it again with their path. A file that no tool can open
   * has a `problem`.
   *
   * It reads: call it in a producer's handler or in `prepare`. What it finds is an input of source `Files` and
   * type `file`.
   */
  list(input: {
    /** The folder, for example `inbox` or `inbox/2026`. */
    dir: string;
    /** A glob that the file's name must match, for example `*.eml` or `{a,b}-*.csv`. */
    pattern?: string | null;
  }): Promise<{
    /** What `Files.read` and the others take. */
    path: string;
    /** The last part of the path. */
    name: string;
    /** In bytes. */
    size: number;
    /** When it was last changed: an ISO 8601 instant in UTC. */
    modified: string;
    /**
     * Why no tool can open it: its name is not UTF-8, and `path` only resembles it. Leave it out, or tell a
     * person to rename it.
     */
    problem?: string | null;
  }[]>;
  /**
   * Reads a text file whole: `Files.read({path})` → `{text}`.
   *
   * The file must be UTF-8 and no larger than the setting `[tools.files] max_read_mib`. For mail use
   * `Mail.parse`.
   *
   * It reads: call it in a producer's handler or in `prepare`. What it finds is an input of source `Files` and
   * type `file`.
   */
  read(input: {
    /** The file, for example `inbox/a.txt`. */
    path: string;
  }): Promise<{
    /** All of the file. */
    text: string;
  }>;
  /**
   * Finds the lines that contain a text: `Files.search({dir, text, pattern?})` → `[{path, line, text}]`.
   *
   * Looks into the same files as `Files.list`, in the same order. Capitals matter. A line that is longer than
   * `[tools.files] max_read_mib` is left out.
   *
   * It reads: call it in a producer's handler or in `prepare`. What it finds is an input of source `Files` and
   * type `file`.
   */
  search(input: {
    /** The folder, for example `inbox`. */
    dir: string;
    /** What a line must contain, letter for letter. */
    text: string;
    /** A glob that the file's name must match, for example `*.csv`. */
    pattern?: string | null;
  }): Promise<{
    /** The file. */
    path: string;
    /** The line's number, from 1. */
    line: number;
    /** The line, without its end. */
    text: string;
  }[]>;
  /**
   * Replaces the text of a file: `Files.write({path, text})` → `{path, size}`.
   *
   * The file and its folder are created where they are missing. Others see the old text or the new one, never a
   * part.
   *
   * It changes something: call it in `mutate`, which ends with the call.
   */
  write(input: {
    /** The file, for example `out/report.md`. It is created where it does not exist. */
    path: string;
    /** All of its new text. */
    text: string;
  }): Promise<{
    /** The file. */
    path: string;
    /** Its new size in bytes. */
    size: number;
  }>;
};

declare const Http: {
  /**
   * Deletes something on a server, as `Http.post` does: `Http.delete({url, headers?, body?})`.
   *
   * It changes something: call it in `mutate`, which ends with the call.
   */
  delete(input: {
    /** `http` or `https`, of a server that the configuration allows. */
    url: string;
    /** Header lines by name. */
    headers?: { [name: string]: string } | null;
    /** A string is sent as it is, null not at all, anything else as JSON. */
    body?: any;
  }): Promise<{
    /** The status, for example 200. */
    status: number;
    /** Header lines by name, in lower case; lines of one name are joined by commas. */
    headers: { [name: string]: string };
    /** Where the content type is JSON, the value (null if empty); otherwise the text. */
    body: any;
    /** What is missing or wrong in this answer. */
    note?: string | null;
  }>;
  /**
   * Looks at a page or asks a service: `Http.get({url, headers?})` → `{status, headers, body}`.
   *
   * A JSON body is parsed. Redirects are followed. An answer of 400 or more is a value like any other (check
   * `status`), except 401, 402, 403, 408, 429, and 500 and more, which fail: someone must act, or time mends it.
   *
   * It reads: call it in a producer's handler or in `prepare`. What it finds is an input of source `Http` and
   * type `page`.
   */
  get(input: {
    /** `http` or `https`, of a server that the configuration allows. */
    url: string;
    /** Header lines by name. */
    headers?: { [name: string]: string } | null;
  }): Promise<{
    /** The status, for example 200. */
    status: number;
    /** Header lines by name, in lower case; lines of one name are joined by commas. */
    headers: { [name: string]: string };
    /** Where the content type is JSON, the value (null if empty); otherwise the text. */
    body: any;
    /** What is missing or wrong in this answer. */
    note?: string | null;
  }>;
  /**
   * Asks for the head of what `Http.get` would answer: `Http.head({url, headers?})`.
   *
   * It reads: call it in a producer's handler or in `prepare`. What it finds is an input of source `Http` and
   * type `page`.
   */
  head(input: {
    /** `http` or `https`, of a server that the configuration allows. */
    url: string;
    /** Header lines by name. */
    headers?: { [name: string]: string } | null;
  }): Promise<{
    /** The status, for example 200. */
    status: number;
    /** Header lines by name, in lower case; lines of one name are joined by commas. */
    headers: { [name: string]: string };
    /** Where the content type is JSON, the value (null if empty); otherwise the text. */
    body: any;
    /** What is missing or wrong in this answer. */
    note?: string | null;
  }>;
  /**
   * Changes something on a server, as `Http.post` does: `Http.patch({url, headers?, body?})`.
   *
   * It changes something: call it in `mutate`, which ends with the call.
   */
  patch(input: {
    /** `http` or `https`, of a server that the configuration allows. */
    url: string;
    /** Header lines by name. */
    headers?: { [name: string]: string } | null;
    /** A string is sent as it is, null not at all, anything else as JSON. */
    body?: any;
  }): Promise<{
    /** The status, for example 200. */
    status: number;
    /** Header lines by name, in lower case; lines of one name are joined by commas. */
    headers: { [name: string]: string };
    /** Where the content type is JSON, the value (null if empty); otherwise the text. */
    body: any;
    /** What is missing or wrong in this answer. */
    note?: string | null;
  }>;
  /**
   * Tells a server something: `Http.post({url, headers?, body?})` → `{status, headers, body}`.
   *
   * A `body` that is an object or array is sent as JSON, a string as it is. The request carries an
   * `Idempotency-Key` header. An answer of 400 or more is a failure; so is a redirect other than 303: call the
   * address it leads to. Where the answer is lost, or is 408, or 500 and more, nobody knows whether the server
   * obeyed: that is found out where the configuration says how, else a person is asked. `note` in the answer
   * tells where its body could not be read, or that it was found out.
   *
   * It changes something: call it in `mutate`, which ends with the call.
   */
  post(input: {
    /** `http` or `https`, of a server that the configuration allows. */
    url: string;
    /** Header lines by name. */
    headers?: { [name: string]: string } | null;
    /** A string is sent as it is, null not at all, anything else as JSON. */
    body?: any;
  }): Promise<{
    /** The status, for example 200. */
    status: number;
    /** Header lines by name, in lower case; lines of one name are joined by commas. */
    headers: { [name: string]: string };
    /** Where the content type is JSON, the value (null if empty); otherwise the text. */
    body: any;
    /** What is missing or wrong in this answer. */
    note?: string | null;
  }>;
  /**
   * Puts something on a server, as `Http.post` does: `Http.put({url, headers?, body?})`.
   *
   * It changes something: call it in `mutate`, which ends with the call.
   */
  put(input: {
    /** `http` or `https`, of a server that the configuration allows. */
    url: string;
    /** Header lines by name. */
    headers?: { [name: string]: string } | null;
    /** A string is sent as it is, null not at all, anything else as JSON. */
    body?: any;
  }): Promise<{
    /** The status, for example 200. */
    status: number;
    /** Header lines by name, in lower case; lines of one name are joined by commas. */
    headers: { [name: string]: string };
    /** Where the content type is JSON, the value (null if empty); otherwise the text. */
    body: any;
    /** What is missing or wrong in this answer. */
    note?: string | null;
  }>;
};

declare const Mail: {
  /**
   * Reads the mails of a file: `Mail.parse({path})` → `[{messageId, from, to, subject, date, text, html,
   * attachments}]`.
   *
   * An `.eml` file gives one mail, an mbox all of its mails in their order, and an empty file none: most likely
   * it is still being written. The file is one that `Files` may use, and no larger than the setting
   * `[tools.files] max_read_mib`.
   *
   * It reads: call it in a producer's handler or in `prepare`. What it finds is an input of source `Mail` and
   * type `message`.
   */
  parse(input: {
    /** The file, for example `inbox/a.eml`. */
    path: string;
  }): Promise<{
    /** Without the angle brackets; null where the mail has none. */
    messageId: string | null;
    /** `Name <address>`, an odd name in quotes, or the address alone; empty where the mail does not say. */
    from: string;
    /** The receivers, each like `from`. */
    to: string[];
    /** Decoded; empty where there is none. */
    subject: string;
    /** When it was written by its own account: an ISO 8601 instant in UTC, or null. */
    date: string | null;
    /** The text; where there is only HTML, what that says: a tab between cells, a line for each block. */
    text: string;
    /** The HTML, or null. */
    html: string | null;
    /** What is attached. The contents are not given. */
    attachments: {
      /** The file name, or null. */
      name: string | null;
      /** The media type, for example `application/pdf`. */
      type: string;
      /** In bytes, decoded. */
      size: number;
    }[];
  }[]>;
};

declare const Topics: {
  /**
   * Gets events of a subscribed topic by message id, whatever their status.
   *
   * Only in `prepare`. Ids that the topic does not have are absent from the answer.
   */
  getByIds(input: {
    /** The topic's name, as the script declares it. */
    topic: string;
    /** Message ids. */
    ids: string[];
  }): Promise<{
    messageId: string;
    /** Always empty; titles belong to inputs. */
    title: string;
    /** What was published. */
    payload: any;
    status: "pending" | "reserved" | "consumed" | "skipped";
    /** An ISO 8601 instant in UTC. */
    createdAt: string;
  }[]>;
  /**
   * Looks at the pending events of a subscribed topic, oldest first.
   *
   * Only in `prepare`. Looking reserves nothing: name the events to process in the `reservations` that `prepare`
   * returns.
   */
  peek(input: {
    /** The topic's name, as the script declares it. */
    topic: string;
    /** How many events at most. */
    limit?: number;
  }): Promise<{
    messageId: string;
    /** Always empty; titles belong to inputs. */
    title: string;
    /** What was published. */
    payload: any;
    status: "pending" | "reserved" | "consumed" | "skipped";
    /** An ISO 8601 instant in UTC. */
    createdAt: string;
  }[]>;
  /**
   * Puts an event into a topic, or the same event into several.
   *
   * In a producer's handler (with the `inputId` that `Topics.registerInput` gave) and in `next` (without: the
   * inputs of the reserved events are inherited). Build `messageId` from the outside thing's own stable id,
   * never from a clock, a counter or a random number: publishing an id again makes no second event. While the
   * event is pending the new payload replaces the old one; after that it is left alone.
   */
  publish(input: {
    /** The topic's name, or several. */
    topic: string | string[];
    event: {
      /** A stable id, from the outside thing's own id. */
      messageId: string;
      /** Any JSON. */
      payload: any;
      /** In a producer: the input that caused it. */
      inputId?: string;
    };
  }): Promise<null>;
  /**
   * Enters an outside thing into the input ledger and returns its input id.
   *
   * Only in a producer's handler, before publishing what the thing caused. Registering the same `source`, `type`
   * and `id` again returns the same input id, and the first title stays. People read the title: say what the
   * thing is, with something that tells it from its neighbours, for example the sender and the subject.
   */
  registerInput(input: {
    /**
     * The connector: Gmail, GoogleDrive, GoogleSheets, GoogleDocs, Notion, System, Web, Files, Http, Mail; or
     * one that the workflow declares in `inputs`.
     */
    source: string;
    /**
     * What the connector yields: email, file, row, document, page, time, random, message; or what the workflow
     * declares.
     */
    type: string;
    /** The thing's own id at the source. */
    id: string;
    /** What people see in lists. */
    title: string;
  }): Promise<string>;
};

declare const User: {
  /**
   * Tells the user something: `User.notify({title, text})` → `{notified}`.
   *
   * It appears in the list of notifications.
   *
   * It changes something: call it in `mutate`, which ends with the call.
   */
  notify(input: {
    /** One line that says what happened. */
    title: string;
    /** What there is to know. */
    text: string;
  }): Promise<{
    /** Always true: a notification that could not be kept is an error. */
    notified: boolean;
  }>;
};
