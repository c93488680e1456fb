const formatter = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeZone: "Asia/Tokyo" });
const weekOf = (date) => {
  const monday = new Date(date);
  monday.setUTCDate(monday.getUTCDate() - ((monday.getUTCDay() + 6) % 7));
  return monday.toISOString().slice(0, 10);
};

const workflow = {
  topics: { week: {} },
  producers: {
    weekly: {
      publishes: ["week"],
      schedule: { cron: "0 7 * * 1" },
      handler: async () => {
        const week = weekOf(Date.now());
        const inputId = await Topics.registerInput({ source: "System", type: "time", id: week, title: `Week of ${formatter.format(new Date(week))}` });
        await Topics.publish({ topic: "week", event: { messageId: week, payload: null, inputId } });
      },
    },
  },
  consumers: {
    report: {
      subscribe: ["week"],
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "week", limit: 1 });
        if (!event) return { reservations: [] };
        const files = await Files.list({ dir: "reports" });
        const sizes = files.reduce((sum, { size }) => sum + size, 0);
        return {
          reservations: [{ topic: "week", ids: [event.messageId] }],
          data: { text: `# ${event.messageId}\n\n${new Intl.NumberFormat("de-DE").format(sizes)} bytes\n`, week: event.messageId },
        };
      },
      mutate: async ({ data }) => {
        await Files.write({ path: "out/" + data.week + ".md", text: data.text });
      },
    },
  },
};
