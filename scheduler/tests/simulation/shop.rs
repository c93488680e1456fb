//! What comes in over time: the messages that the producers poll for, and the script that handles them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use windlass_core::{Clock, ManualClock, Timestamp};

use crate::rng::Rng;
use crate::services::ServiceKind;

/// The workflows; both run the same script, each with messages of its own.
pub(crate) const WORKFLOWS: [&str; 2] = ["east", "west"];

/// How long after the first messages the others come in.
const LATER: Duration = Duration::from_secs(70);

/// One message of the shop.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: String,
    /// Which service it is for.
    kind: ServiceKind,
    /// Another message that has to be handled with it.
    partner: Option<String>,
    comes_in: Timestamp,
}

/// What came in and will.
#[derive(Debug)]
pub(crate) struct Shop {
    clock: Arc<ManualClock>,
    messages: Mutex<[Vec<Message>; 2]>,
}

impl Shop {
    pub(crate) fn new(clock: Arc<ManualClock>) -> Self {
        Self { clock, messages: Mutex::default() }
    }

    /// Begins a history.
    pub(crate) fn reset(&self, rng: &mut Rng, kinds: &[ServiceKind]) {
        let now = self.clock.now();
        let fill = |name: &str| messages(name, now, kinds, rng);
        *self.messages.lock().unwrap() = WORKFLOWS.map(fill);
    }

    /// Everything that ever comes in for a workflow.
    pub(crate) fn all(&self, workflow: &str) -> Vec<Message> {
        let index = WORKFLOWS.iter().position(|name| *name == workflow).unwrap();
        self.messages.lock().unwrap()[index].clone()
    }

    /// What has come in for a workflow so far, from the `from`th on.
    pub(crate) fn list(&self, workflow: &str, from: usize) -> Value {
        let now = self.clock.now();
        let so_far = self.all(workflow).into_iter().filter(|message| message.comes_in <= now);
        let listed = so_far.skip(from).map(|message| {
            let (tool, _) = message.kind.name();
            json!({ "id": message.id, "tool": tool, "partner": message.partner })
        });
        listed.collect()
    }
}

/// Three or four for a workflow, in the order in which they come in, the first two at once; sometimes those belong together.
fn messages(workflow: &str, now: Timestamp, kinds: &[ServiceKind], rng: &mut Rng) -> Vec<Message> {
    let count = 3 + rng.below(2);
    let mut messages: Vec<Message> = (0..count)
        .map(|number| Message {
            id: format!("{workflow}-{number}"),
            kind: *rng.pick(kinds).unwrap(),
            partner: None,
            comes_in: now.after(LATER * u32::try_from(number / 2).unwrap()),
        })
        .collect();
    if rng.chance(40)
        && let [one, other, ..] = messages.as_mut_slice()
    {
        other.kind = one.kind;
        one.partner = Some(other.id.clone());
        other.partner = Some(one.id.clone());
    }
    messages
}

/// A producer that polls with an overlap, a consumer with an effect, and one that counts what came of it.
pub(crate) const SCRIPT: &str = r#"
const workflow = {
  topics: { orders: {}, done: {} },
  producers: {
    poll: {
      publishes: ["orders"], schedule: { interval: "1m" },
      handler: async (state) => {
        const from = Math.max(0, (state?.seen ?? 0) - 1);
        const messages = await Shop.list({ from });
        for (const { id, tool, partner } of messages) {
          const inputId = await Topics.registerInput({ source: "Http", type: "page", id, title: id });
          await Topics.publish({ topic: "orders", event: { messageId: id, payload: { tool, partner }, inputId } });
        }
        return { seen: from + messages.length };
      },
    },
  },
  consumers: {
    act: {
      subscribe: ["orders"], publishes: ["done"],
      prepare: async () => {
        const waiting = await Topics.peek({ topic: "orders" });
        const has = (id) => waiting.some((event) => event.messageId === id);
        const first = waiting.find(({ payload }) => !payload.partner || has(payload.partner));
        if (!first) return { reservations: [] };
        const { tool, partner } = first.payload;
        const ids = partner ? [first.messageId, partner].sort() : [first.messageId];
        return { reservations: [{ topic: "orders", ids }], data: { tool, ids }, ui: { title: ids.join(" and ") } };
      },
      mutate: async ({ data }) => {
        const input = { messages: data.ids };
        if (data.tool === "Bank") await Bank.book(input);
        if (data.tool === "Board") await Board.post(input);
        if (data.tool === "Shelf") await Shelf.put(input);
        if (data.tool === "Courier") await Courier.send(input);
        if (data.tool === "Folder") await Folder.keep(input);
      },
      next: async (prepared, result) => {
        if (result.status !== "applied") return;
        for (const id of prepared.data.ids) {
          await Topics.publish({ topic: "done", event: { messageId: `done:${id}`, payload: {} } });
        }
      },
    },
    count: {
      subscribe: ["done"],
      prepare: async (state) => {
        const ids = (await Topics.peek({ topic: "done" })).map((event) => event.messageId);
        return { reservations: [{ topic: "done", ids }], data: { count: (state?.count ?? 0) + ids.length } };
      },
      next: async (prepared) => ({ count: prepared.data.count }),
    },
  },
};
"#;
