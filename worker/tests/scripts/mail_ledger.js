// Terse: one producer, one consumer.
const workflow = {
  topics: { mail: {} },
  producers: {
    inbox: {
      publishes: ["mail"],
      schedule: { interval: "5m" },
      async handler() {
        const files = await Files.list({ dir: "inbox", pattern: "*.eml" });
        for (const f of files) {
          if (f.problem) continue;
          const [m] = await Mail.parse({ path: f.path });
          const id = m.messageId ?? f.path;
          const inputId = await Topics.registerInput({ source: "Mail", type: "message", id, title: `${m.subject}, ${m.from}` });
          await Topics.publish({ topic: "mail", event: { messageId: id, payload: { path: f.path }, inputId } });
        }
      },
    },
  },
  consumers: {
    ledger: {
      subscribe: ["mail"],
      async prepare() {
        const events = await Topics.peek({ topic: "mail", limit: 1 });
        if (events.length === 0) return { reservations: [] };
        const e = events[0];
        return { reservations: [{ topic: "mail", ids: [e.messageId] }], data: { line: e.payload.path + ";" + e.messageId } };
      },
      async mutate({ data }) {
        await Files.append({ path: "out/mails.csv", line: data.line });
      },
    },
  },
};
