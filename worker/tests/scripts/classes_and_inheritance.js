class Source {
  constructor(dir) {
    this.dir = dir;
  }
  async *files() {
    for (const file of await Files.list({ dir: this.dir })) yield file;
  }
}

class Csv extends Source {
  static separator = ";";
  #rows = [];
  async load() {
    for await (const file of this.files()) {
      const { text } = await Files.read({ path: file.path });
      this.#rows.push(...text.split(/\r?\n/u).filter(Boolean).map((row) => row.split(Csv.separator)));
    }
    return this.#rows;
  }
}

const workflow = {
  topics: { row: {} },
  producers: {
    rows: {
      publishes: ["row"],
      schedule: { interval: "1h" },
      handler: async (state) => {
        const rows = await new Csv("in").load();
        const fresh = rows.slice(state?.count ?? 0);
        for (const [id, ...cells] of fresh) {
          const inputId = await Topics.registerInput({ source: "Files", type: "file", id, title: cells.join(", ") || id });
          await Topics.publish({ topic: "row", event: { messageId: id, payload: cells, inputId } });
        }
        return { count: rows.length };
      },
    },
  },
  consumers: {
    keep: {
      subscribe: ["row"],
      prepare: async () => {
        const [row] = await Topics.peek({ topic: "row", limit: 1 });
        return row ? { reservations: [{ topic: "row", ids: [row.messageId] }], data: row.payload } : { reservations: [] };
      },
      mutate: ({ data }) => Files.append({ path: "out/rows.txt", line: data.join("|") }),
    },
  },
};
