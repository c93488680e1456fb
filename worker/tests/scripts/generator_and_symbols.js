const range = function* (from, to) {
  for (let n = from; n < to; n++) yield n;
};
const tag = Symbol("tag");
const label = (strings, ...values) => String.raw({ raw: strings }, ...values.map((value) => `<${value}>`));

const workflow = Object.freeze({
  topics: Object.freeze({ number: {} }),
  producers: {
    numbers: {
      publishes: ["number"],
      schedule: { interval: "1d" },
      handler: async (state) => {
        const from = state?.next ?? 0;
        for (const n of range(from, from + 3)) {
          const thing = { [tag]: true, n };
          const inputId = await Topics.registerInput({ source: "System", type: "random", id: `${n}`, title: label`number ${n}` });
          if (thing[tag]) await Topics.publish({ topic: "number", event: { messageId: `${n}`, payload: thing, inputId } });
        }
        return { next: from + 3 };
      },
    },
  },
  consumers: {
    sum: {
      subscribe: ["number"],
      prepare: async () => {
        const events = await Topics.peek({ topic: "number" });
        let total = 0n;
        for (const { payload } of events) total += BigInt(payload.n);
        switch (events.length) {
          case 0:
            return { reservations: [] };
          default:
            return { reservations: [{ topic: "number", ids: events.map((e) => e.messageId) }], data: { total: String(total) } };
        }
      },
      mutate: async (prepared) => void (await Files.write({ path: "out/sum.txt", text: prepared.data.total })),
    },
  },
});
