// A water reminder: each tick is a new thing, so its id is the moment itself.
const workflow = {
  topics: { tick: {} },
  producers: {
    clock: {
      publishes: ["tick"],
      schedule: { cron: "0 9-18 * * *" },
      handler: async () => {
        const now = new Date().toISOString();
        const inputId = await Topics.registerInput({ source: "System", type: "time", id: now, title: `Tick ${now}` });
        await Topics.publish({ topic: "tick", event: { messageId: now, payload: {}, inputId } });
      },
    },
  },
  consumers: {
    drink: {
      subscribe: ["tick"],
      prepare: async () => {
        const ticks = await Topics.peek({ topic: "tick" });
        return { reservations: [{ topic: "tick", ids: ticks.map((t) => t.messageId) }], data: ticks.length };
      },
      mutate: async ({ data }) => {
        if (data > 0) await User.notify({ title: "Drink", text: "A glass of water." });
      },
    },
  },
};
