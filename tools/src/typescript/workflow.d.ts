// What a Windlass script is, and what it can call.
//
// A script declares one `const workflow`. Producers look at the outside world and publish events; consumers take events
// and act, in three phases: `prepare` looks and decides, `mutate` makes at most one change outside, `next` publishes what
// follows. Each call evaluates the script afresh: nothing but arguments and results goes from one to the next.

/** What `const workflow` holds. */
interface Workflow {
  /** The topics that events go through, by name. */
  topics: { [name: string]: {} };
  /** What looks at the outside world, by name. */
  producers?: { [name: string]: Producer };
  /** What acts on events, by name. */
  consumers?: { [name: string]: Consumer };
}

interface Producer<State = any> {
  /** The topics it publishes to: at least one. */
  publishes: string[];
  /** An interval is a whole number of s, m, h or d, such as "5m". A cron expression has five fields. */
  schedule: { interval: string } | { cron: string; timezone?: string };
  /**
   * Reads, registers inputs and publishes events. All of that and the returned state are kept together, or nothing is.
   * `state` is what was returned last time, null at first; returning nothing keeps it.
   */
  handler(state: State | null): Promise<State | void> | State | void;
}

interface Consumer<State = any, Data = any, Result = any> {
  /** The topics whose events it takes: at least one. */
  subscribe: string[];
  /** The topics that `next` publishes to. */
  publishes?: string[];
  /** Reads, chooses events and computes everything. It may run any number of times. */
  prepare(state: State | null): Promise<PrepareResult<Data>> | PrepareResult<Data>;
  /** Calls at most one tool that changes something. The script ends with that call. */
  mutate?(prepared: PrepareResult<Data>): Promise<void> | void;
  /** Publishes what follows and returns the new state; returning nothing keeps the old one. */
  next?(prepared: PrepareResult<Data>, mutationResult: MutationResult<Result>): Promise<State | void> | State | void;
}

/** What `prepare` decided. */
interface PrepareResult<Data = any> {
  /** The events to process, by topic. None: `mutate` is not called, and new events or `wakeAt` bring the next turn. */
  reservations: { topic: string; ids: string[] }[];
  /** Anything that `mutate` and `next` need, as JSON. */
  data?: Data;
  /** What people see of the change to come. */
  ui?: { title?: string };
  /** When to look again without a new event: an ISO 8601 instant, from 30 seconds to a day ahead. */
  wakeAt?: string;
}

/** What `mutate` came to: its tool's answer, no call at all, or a person who said to leave it. */
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

/** What is known of the functions whose name begins so, for example `Files` or `Files.append`. */
declare function getDocs(nameOrPrefix?: string): string;
