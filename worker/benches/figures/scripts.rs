//! The scripts of the cases.

use std::fmt::Write as _;

/// A producer that publishes one event with the next number in each session, and consumers. `$NAMES` are replaced.
const WORK: &str = r#"
const workflow = {
  topics: { $TOPICS },
  producers: {
    feed: {
      publishes: ["$FIRST"], schedule: { interval: "1d" },
      handler: async (state) => {
        const n = $NUMBER;
        const inputId = await Topics.registerInput({ source: "System", type: "random", id: `${n}`, title: `number ${n}` });
        await Topics.publish({ topic: "$FIRST", event: { messageId: `${n}`, payload: { n }, inputId } });
        return { n };
      },
    },
  },
  consumers: {$CONSUMERS
  },
};
"#;

const CONSUMER: &str = r#"
    $NAME: {
      subscribe: ["$TOPIC"], publishes: [$PUBLISHES],
      prepare: async (state) => {
        $READ
        const [event] = await Topics.peek({ topic: "$TOPIC", limit: 1 });
        if (!event) return { reservations: [] };
        return { reservations: [{ topic: "$TOPIC", ids: [event.messageId] }], data: event.payload };
      },
      $MUTATE
      next: async ({ data }) => {
        if (!data) return;
        $NEXT
        return { last: data.n };
      },
    },"#;

/// Subscribes to what the other consumer publishes, and takes nothing.
const END_CONSUMER: &str = r#"
    end: { subscribe: ["done"], prepare: async () => ({ reservations: [] }) },"#;

/// What one consumer does.
#[derive(Debug, Clone, Default)]
struct Consumer {
    name: String,
    topic: String,
    publishes: String,
    read: String,
    mutate: &'static str,
    next: String,
}

impl Consumer {
    fn of_work() -> Self {
        Self { name: "act".to_owned(), topic: "work".to_owned(), ..Self::default() }
    }

    fn text(&self) -> String {
        CONSUMER
            .replace("$NAME", &self.name)
            .replace("$TOPIC", &self.topic)
            .replace("$PUBLISHES", &self.publishes)
            .replace("$READ", &self.read)
            .replace("$MUTATE", self.mutate)
            .replace("$NEXT", &self.next)
    }
}

fn workflow(topics: &[&str], consumers: &str) -> String {
    let first = topics.first().copied().unwrap_or_default();
    let topics: Vec<String> = topics.iter().map(|topic| format!("{topic}: {{}}")).collect();
    WORK.replace("$TOPICS", &topics.join(", "))
        .replace("$FIRST", first)
        .replace("$NUMBER", "(state?.n ?? 0) + 1")
        .replace("$CONSUMERS", consumers)
}

/// What each run of the consumer does beside taking its event and saving its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ScriptParts {
    /// It has an effect.
    pub(crate) mutates: bool,
    /// How many events it publishes.
    pub(crate) publishes: u32,
}

/// The script that most cases run.
pub(crate) fn work(parts: ScriptParts) -> String {
    let mut consumer = Consumer::of_work();
    if parts.mutates {
        consumer.mutate = "mutate: async ({ data }) => { await Bench.apply({ n: data.n }); },";
    }
    if parts.publishes == 0 {
        return workflow(&["work"], &consumer.text());
    }
    consumer.publishes = "\"done\"".to_owned();
    consumer.next = format!(
        "for (let i = 0; i < {}; i += 1) {{
          await Topics.publish({{ topic: \"done\", event: {{ messageId: `${{data.n}}-${{i}}`, payload: {{ i }} }} }});
        }}",
        parts.publishes
    );
    workflow(&["work", "done"], &(consumer.text() + END_CONSUMER))
}

/// A producer that publishes the same event again and again.
pub(crate) fn polling() -> String {
    work(ScriptParts::default()).replace("(state?.n ?? 0) + 1", "1")
}

/// A consumer without an effect, whose first line calls a tool with the number of the next event.
pub(crate) fn recording() -> String {
    let read = "await Bench.read({ n: (state?.last ?? 0) + 1 });".to_owned();
    workflow(&["work"], &Consumer { read, ..Consumer::of_work() }.text())
}

/// A consumer without an effect whose `prepare` is busy for a while.
pub(crate) fn busy(busy_ms: u32) -> String {
    let read = format!("const until = Date.now() + {busy_ms}; while (Date.now() < until);");
    workflow(&["work"], &Consumer { read, ..Consumer::of_work() }.text())
}

/// A chain of consumers, `c0`, `c1`, …, each of which publishes what it takes.
pub(crate) fn chain(length: usize) -> String {
    let topics: Vec<String> = (0..length).map(|idx| format!("t{idx}")).collect();
    let mut consumers = String::new();
    for (idx, topic) in topics.iter().enumerate() {
        let next = topics.get(idx + 1);
        let publish = |next: &String| {
            format!(
                "await Topics.publish({{ topic: \"{next}\", event: {{ messageId: `${{data.n}}`, payload: data }} }});"
            )
        };
        let consumer = Consumer {
            name: format!("c{idx}"),
            topic: topic.clone(),
            publishes: next.map(|next| format!("\"{next}\"")).unwrap_or_default(),
            next: next.map(publish).unwrap_or_default(),
            ..Consumer::default()
        };
        consumers += &consumer.text();
    }
    workflow(&topics.iter().map(String::as_str).collect::<Vec<_>>(), &consumers)
}

/// A script of about `size_bytes`; a call uses little of it.
pub(crate) fn of_size(size_bytes: usize) -> String {
    let mut functions = String::new();
    let mut n_functions = 0;
    while functions.len() + 200 < size_bytes {
        let _infallible = write!(
            functions,
            "
function part{n_functions}(lines) {{
  // Sums up what the lines of kind {n_functions} say.
  return lines.filter((line) => line.kind === {n_functions}).map((line) => line.amount ?? 0).reduce((a, b) => a + b, 1);
}}
"
        );
        n_functions += 1;
    }
    let used = if n_functions == 0 { "1".to_owned() } else { "part0([])".to_owned() };
    let call = format!("prepare: async () => ({{ used: {used} }})");
    format!("{functions}\nconst workflow = {{ consumers: {{ act: {{ {call} }} }} }};\n")
}

/// A script that waits for the host.
pub(crate) const WAITING_SCRIPT: &str = "
const workflow = { consumers: { act: { prepare: async () => { await Bench.read({ n: 1 }); } } } };
";
