// What a Windlass script is, and what it can call.
//
// A script declares one `const workflow`. Producers read the outside world and publish events. Consumers process the events
// in three phases: `prepare` reads and decides, `mutate` makes at most one change to the outside world, and `next` publishes
// events and saves state. Every call evaluates the script anew. Nothing is kept between calls but arguments and results.
//
// A function awaits every call that it makes. If a handler returns before one of its calls is answered, it fails and nothing
// of it is kept; `forEach` awaits nothing. Only publications that are still on their way are waited for.

/** The declaration of a workflow, `const workflow`. */
interface Workflow {
  /** The topics that events are published to, by name. */
  topics: { [name: string]: {} };
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
  /** When to run again without a new event: an ISO 8601 instant, from 30 seconds to a day ahead. */
  wakeAt?: string;
}

/** How `mutate` ended: with its tool's answer, without a call, or skipped by a person. */
type MutationResult<Result = any> = { status: "applied"; result: Result } | { status: "none" } | { status: "skipped" };

/** Writes to the log of the run. */
declare const console: {
  log(...values: any[]): void;
  info(...values: any[]): void;
  debug(...values: any[]): void;
  warn(...values: any[]): void;
  error(...values: any[]): void;
};

/** Decodes Base64: one character per byte. */
declare function atob(text: string): string;

/** The documentation of the functions whose names begin with this, for example `Files` or `Files.append`. */
declare function getDocs(nameOrPrefix?: string): string;
