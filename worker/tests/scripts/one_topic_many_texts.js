// Sorts support mails by words, without any state.
const RULES = Object.entries({ billing: ["invoice", "refund"], login: ["password", "2fa"] });
const classify = (text) => RULES.find(([, words]) => words.some((word) => text.toLowerCase().includes(word)))?.[0] ?? "other";

const workflow = {
  topics: { support: {} },
  producers: {
    support: {
      publishes: ["support"],
      schedule: { interval: "3m" },
      handler: async () => {
        for (const file of await Files.list({ dir: "support" })) {
          const mails = await Mail.parse({ path: file.path });
          for (let i = 0; i < mails.length; i++) {
            const mail = mails[i];
            const id = mail.messageId || `${file.path}#${i}`;
            const title = mail.subject ? mail.subject.trim() : "no subject";
            const inputId = await Topics.registerInput({ source: "Mail", type: "message", id, title });
            await Topics.publish({ topic: ["support"], event: { messageId: id, payload: { kind: classify(mail.text), title }, inputId } });
          }
        }
      },
    },
  },
  consumers: {
    file: {
      subscribe: ["support"],
      prepare: async () => {
        const events = await Topics.peek({ topic: "support", limit: 100 });
        const [first] = events;
        if (!first) return { reservations: [] };
        const same = events.filter((event) => event.payload.kind === first.payload.kind);
        return {
          reservations: [{ topic: "support", ids: same.map((event) => event.messageId) }],
          data: { kind: first.payload.kind, titles: same.map((event) => event.payload.title) },
        };
      },
      mutate: async ({ data }) => {
        const { kind, titles } = data;
        await Files.append({ path: `out/${kind}.log`, line: `${titles.length}: ${titles.join(" / ")}` });
      },
    },
  },
};
