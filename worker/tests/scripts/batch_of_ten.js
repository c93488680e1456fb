// Ten at a time, or what there is after an hour.
const workflow = {
  topics: { item: {} },
  producers: {
    drop: {
      publishes: ["item"],
      schedule: { interval: "1m" },
      handler: async () => {
        for (const { path, name, modified } of await Files.list({ dir: "drop" })) {
          const id = `${path}@${modified}`;
          const inputId = await Topics.registerInput({ source: "Files", type: "file", id, title: name });
          await Topics.publish({ topic: "item", event: { messageId: id, payload: name, inputId } });
        }
      },
    },
  },
  consumers: {
    batch: {
      subscribe: ["item"],
      prepare: async (state) => {
        const items = await Topics.peek({ topic: "item", limit: 10 });
        const oldest = items.length > 0 ? Date.parse(items[0].createdAt) : Date.now();
        const due = oldest + 60 * 60 * 1000;
        if (items.length < 10 && Date.now() < due) {
          return { reservations: [], wakeAt: new Date(due).toISOString() };
        }
        const n = (state?.batches ?? 0) + 1;
        return {
          reservations: [{ topic: "item", ids: items.map(({ messageId }) => messageId) }],
          data: { n, text: items.map((i) => i.payload).join("\n") },
        };
      },
      mutate: async ({ data }) => {
        await Files.write({ path: `out/batch-${data.n}.txt`, text: data.text });
      },
      next: async ({ data }, { status }) => {
        if (status === "applied") return { batches: data.n };
      },
    },
  },
};
