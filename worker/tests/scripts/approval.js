// Waits for a file that a person puts beside the request.
const APPROVED = /^(ok|yes|approved)$/iu;

const workflow = {
  topics: { "refund.asked": {}, "refund.approved": {} },
  producers: {
    requests: {
      publishes: ["refund.asked"],
      schedule: { interval: "5m" },
      handler: async () => {
        const files = (await Files.list({ dir: "refunds", pattern: "*.json" })).filter((file) => file.size > 0);
        for (const { path } of files) {
          const { text } = await Files.read({ path });
          let request;
          try {
            request = JSON.parse(text);
          } catch (error) {
            console.error(`not readable: ${path}`, error);
            continue;
          }
          const inputId = await Topics.registerInput({ source: "Files", type: "file", id: path, title: `Refund ${request.order}` });
          await Topics.publish({ topic: "refund.asked", event: { messageId: request.order, payload: { ...request, path }, inputId } });
        }
      },
    },
  },
  consumers: {
    wait: {
      subscribe: ["refund.asked"],
      publishes: ["refund.approved"],
      prepare: async () => {
        const asked = await Topics.peek({ topic: "refund.asked", limit: 50 });
        const answers = new Map();
        for (const file of await Files.list({ dir: "refunds", pattern: "*.answer" })) {
          const { text } = await Files.read({ path: file.path });
          answers.set(file.name.replace(/\.answer$/u, ""), text.trim());
        }
        const answered = asked.find((event) => answers.has(event.messageId));
        const inTenMinutes = new Date(Date.now() + 10 * 60_000).toISOString();
        if (!answered) return { reservations: [], wakeAt: inTenMinutes };
        return {
          reservations: [{ topic: "refund.asked", ids: [answered.messageId] }],
          data: { request: answered.payload, approved: APPROVED.test(answers.get(answered.messageId)) },
        };
      },
      next: async (prepared) => {
        if (prepared.reservations.length === 0 || !prepared.data.approved) return;
        const { request } = prepared.data;
        await Topics.publish({ topic: "refund.approved", event: { messageId: `${request.order}-approved`, payload: request } });
      },
    },
    pay: {
      subscribe: ["refund.approved"],
      onFailure: "stop",
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "refund.approved", limit: 1 });
        if (!event) return { reservations: [] };
        const before = await Topics.getByIds({ topic: "refund.approved", ids: [event.messageId] });
        return { reservations: [{ topic: "refund.approved", ids: before.map((b) => b.messageId) }], data: event.payload };
      },
      mutate: async ({ data: { order, cents } }) => {
        const body = { order, cents, currency: "EUR" };
        await Http.post({ url: "https://pay.example.com/refunds", headers: { accept: "application/json" }, body });
      },
    },
  },
};
