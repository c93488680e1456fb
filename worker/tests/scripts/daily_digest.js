// A digest at nine: the day is the id, so a second run on the same day adds nothing.
const TOPIC = "day.begun";

function today() {
  const now = new Date();
  const two = (n) => String(n).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}

const workflow = {
  topics: { [TOPIC]: {} },
  producers: {
    morning: {
      publishes: [TOPIC],
      schedule: { cron: "0 9 * * 1-5", timezone: "Europe/Berlin" },
      handler: async () => {
        const day = today();
        const inputId = await Topics.registerInput({ source: "System", type: "time", id: day, title: `The morning of ${day}` });
        await Topics.publish({ topic: TOPIC, event: { messageId: day, payload: { day }, inputId } });
      },
    },
  },
  consumers: {
    digest: {
      subscribe: [TOPIC],
      prepare: async () => {
        const [event] = await Topics.peek({ topic: TOPIC, limit: 1 });
        if (!event) return { reservations: [] };
        const found = await Files.search({ dir: "notes", text: event.payload.day, pattern: "*.md" });
        const text = found.map(({ path, line, text }) => `${path}:${line} ${text}`).join("\n") || "Nothing today.";
        return { reservations: [{ topic: TOPIC, ids: [event.messageId] }], data: { text, day: event.payload.day }, ui: { title: `Digest of ${event.payload.day}` } };
      },
      mutate: async ({ data: { text, day } }) => {
        await User.notify({ title: `Digest of ${day}`, text });
      },
    },
  },
};
