const SERVICES = [
  { name: "site", url: "https://www.example.com/" },
  { name: "api", url: "https://api.example.com/health" },
];

const probe = async ({ name, url }) => {
  const { status } = await Http.head({ url });
  return { name, up: status < 400 };
};

const workflow = {
  topics: { changed: {} },
  producers: {
    probe: {
      publishes: ["changed"],
      schedule: { interval: "1m" },
      handler: async (state) => {
        const before = state ?? { n: 0, up: {} };
        const now = await Promise.all(SERVICES.map(probe));
        let { n } = before;
        for (const { name, up } of now) {
          if ((before.up[name] ?? true) === up) continue;
          n += 1;
          const id = `${name}-${n}`;
          const inputId = await Topics.registerInput({ source: "Web", type: "page", id, title: `${name} is ${up ? "up" : "down"}` });
          await Topics.publish({ topic: "changed", event: { messageId: id, payload: { name, up }, inputId } });
        }
        return { n, up: Object.fromEntries(now.map(({ name, up }) => [name, up])) };
      },
    },
  },
  consumers: {
    tell: {
      subscribe: ["changed"],
      prepare: async () => {
        const events = await Topics.peek({ topic: "changed", limit: 1 });
        return {
          reservations: events.map(({ messageId }) => ({ topic: "changed", ids: [messageId] })),
          data: events[0]?.payload,
        };
      },
      mutate: async ({ data }) => {
        if (!data) return;
        await User.notify({ title: `${data.name} is ${data.up ? "up" : "down"}`, text: "Seen by the probe." });
      },
    },
  },
};
