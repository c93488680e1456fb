// Notes: writes the first line of every text file in inbox/ into out/notes.log.
//
//   inbox/*.txt ──▶ note.found ──▶ log ──▶ out/notes.log
//
// A workflow is one object. Producers look at the outside world and publish events; consumers take events and act, in
// three phases: `prepare` looks and decides, `mutate` makes at most one change outside, `next` publishes what follows.
// Every call starts afresh: nothing in this file is remembered from one call to the next, only what a handler returns.

const workflow = {
  // What events are about. Every topic needs somebody who publishes to it and somebody who subscribes to it.
  topics: {
    "note.found": {},
  },

  producers: {
    inbox: {
      publishes: ["note.found"],
      // Or at fixed times: { cron: "0 9 * * 1-5", timezone: "Europe/Berlin" }
      schedule: { interval: "1m" },

      // May read the outside world, and change nothing there.
      handler: async () => {
        for (const { path } of await Files.list({ dir: "inbox", pattern: "*.txt" })) {
          // Says which outside thing the event stems from. People find their way by this title.
          const inputId = await Topics.registerInput({ source: "Files", type: "file", id: path, title: path });

          // The message id is that thing's own lasting name, so publishing it again adds nothing.
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

      // May read, and change nothing. Runs again after a crash or a failure, so it decides afresh each time.
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "note.found", limit: 1 });
        if (!event) return { reservations: [] };

        const { path } = event.payload;
        const { text } = await Files.read({ path });
        return {
          // The events that this run is about. They are done when it is done.
          reservations: [{ topic: "note.found", ids: [event.messageId] }],
          // What `mutate` and `next` are given.
          data: { path, firstLine: text.split("\n", 1)[0].trim() },
          // What people read in the list of outputs.
          ui: { title: `Note ${path}` },
        };
      },

      // May make one change, and cannot read. The script ends with that call, so nothing can follow it here.
      mutate: async ({ data: { path, firstLine } }) => {
        // The key is part of the line: by it Windlass finds out, after a crash, whether the line was written.
        const key = JSON.stringify(path);
        await Files.append({ path: "out/notes.log", line: `${key}: ${firstLine}`, key });
      },

      // A consumer may also have `next: async (prepared, result) => { … }`, which publishes to the topics that it names
      // in `publishes: [ … ]`, for another consumer to take.
    },
  },
};
