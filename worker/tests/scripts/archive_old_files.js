const DAY = 24 * 60 * 60 * 1000;
const isOld = ({ modified }, now = Date.now()) => now - new Date(modified).getTime() > 90 * DAY;

const workflow = {
  topics: { "file.old": {}, "file.copied": {} },
  producers: {
    look: {
      publishes: ["file.old"],
      schedule: { cron: "0 3 * * 0" },
      handler: async () => {
        const old = (await Files.list({ dir: "docs" })).filter((file) => isOld(file));
        for (const file of old) {
          const id = file.path + "@" + file.modified;
          const inputId = await Topics.registerInput({ source: "Files", type: "file", id, title: file.name });
          await Topics.publish({ topic: "file.old", event: { messageId: id, payload: file, inputId } });
        }
        console.log("%d of them", old.length);
      },
    },
  },
  consumers: {
    copy: {
      subscribe: ["file.old"],
      publishes: ["file.copied"],
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "file.old", limit: 1 });
        if (!event) return { reservations: [] };
        const { path, name } = event.payload;
        const { text } = await Files.read({ path });
        return { reservations: [{ topic: "file.old", ids: [event.messageId] }], data: { id: event.messageId, path, to: `archive/${name}`, text } };
      },
      mutate: async ({ data: { to, text } }) => {
        await Files.write({ path: to, text });
      },
      next: async ({ data }, { status }) => {
        if (status !== "applied") return;
        await Topics.publish({ topic: "file.copied", event: { messageId: data.id, payload: { path: data.path } } });
      },
    },
    remove: {
      subscribe: ["file.copied"],
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "file.copied", limit: 1 });
        return event ? { reservations: [{ topic: "file.copied", ids: [event.messageId] }], data: event.payload } : { reservations: [] };
      },
      mutate: async ({ data }) => {
        await Files.delete({ path: data.path });
      },
    },
  },
};
