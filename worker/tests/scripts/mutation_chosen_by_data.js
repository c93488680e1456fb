// One consumer that does one of three things, through helpers that only `mutate` calls.
const actions = {
  notify: (data) => User.notify({ title: data.title, text: data.text }),
  file: (data) => Files.append({ path: "out/actions.txt", line: `${data.title}: ${data.text}` }),
  none: async () => {},
};

async function act(data) {
  const action = actions[data.kind] ?? actions.none;
  await action(data);
}

const workflow = {
  topics: { "action.wanted": {} },
  producers: {
    actions: {
      publishes: ["action.wanted"],
      schedule: { interval: "1m" },
      handler: async () => {
        const found = await Files.search({ dir: "actions", text: "do:" });
        for (const { path, line, text } of found) {
          const [kind = "none", title = "", ...rest] = text.replace("do:", "").split("|").map((part) => part.trim());
          const id = `${path}:${line}`;
          const inputId = await Topics.registerInput({ source: "Files", type: "file", id, title: title || id });
          await Topics.publish({ topic: "action.wanted", event: { messageId: id, payload: { kind, title, text: rest.join("|") }, inputId } });
        }
      },
    },
  },
  consumers: {
    act: {
      subscribe: ["action.wanted"],
      publishes: [],
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "action.wanted", limit: 1 });
        if (!event) return { reservations: [] };
        return { reservations: [{ topic: "action.wanted", ids: [event.messageId] }], data: event.payload };
      },
      mutate: async ({ data }) => {
        await act(data);
      },
      next: async (_prepared, { status }) => {
        if (status === "skipped") console.warn("a person skipped it");
      },
    },
  },
};
