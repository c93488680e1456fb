// Notes: writes the first line of every text file in inbox/ into out/notes.log.
//
//   inbox/*.txt ──▶ note.found ──▶ log ──▶ out/notes.log
//
// A workflow is one object. Producers read the outside world and publish events. Consumers process events in three
// phases: `prepare` reads and decides, `mutate` makes at most one change outside, `next` publishes what follows.
// Every call evaluates this file anew. Only what a handler returns is kept from one call to the next.

const workflow = {
  // The channels for events. Every topic needs a handler that publishes to it and a consumer that subscribes to it.
  topics: {
    "note.found": {},
  },

  producers: {
    inbox: {
      publishes: ["note.found"],
      // Or at fixed times: { cron: "0 9 * * 1-5", timezone: "Europe/Berlin" }
      schedule: { interval: "1m" },

      // Reads the outside world and changes nothing there.
      handler: async () => {
        for (const { path } of await Files.list({ dir: "inbox", pattern: "*.txt" })) {
          // Names the outside thing that causes the event. People see this title.
          const inputId = await Topics.registerInput({ source: "Files", type: "file", id: path, title: path });

          // The message id is that thing's own permanent id, so publishing it again adds nothing.
          await Topics.publish({
            topic: "note.found",
            event: { messageId: path, payload: { path }, inputId },
          });
        }
      },
    },
  },

  consumers: {
    log: {
      subscribe: ["note.found"],

      // Reads and changes nothing. It runs again after a crash or a failure and decides anew each time.
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "note.found", limit: 1 });
        if (!event) return { reservations: [] };

        const { path } = event.payload;
        const { text } = await Files.read({ path });
        return {
          // The events that this run processes. They are consumed when the run is committed.
          reservations: [{ topic: "note.found", ids: [event.messageId] }],
          // The data for `mutate` and `next`.
          data: { path, firstLine: text.split("\n", 1)[0].trim() },
          // The title in the list of outputs.
          ui: { title: `Note ${path}` },
        };
      },

      // Makes one change and cannot read. The call ends the script, so no code can follow it here.
      mutate: async ({ data: { path, firstLine } }) => {
        // The key is a part of the line. After a crash Windlass looks for it to find out whether the line was written.
        const key = JSON.stringify(path);
        await Files.append({ path: "out/notes.log", line: `${key}: ${firstLine}`, key });
      },

      // A consumer may also have `next: async (prepared, result) => { … }`. It publishes to the topics that the consumer
      // names in `publishes: [ … ]`, for other consumers.
    },
  },
};
