const parse = (text) =>
  text
    .split("\n")
    .slice(1)
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [id, amount] = line.split(",");
      return { id, amount: Number(amount) };
    });

const byId = (rows) => new Map(rows.map((row) => [row.id, row]));

const load = async (path) => byId(parse((await Files.read({ path })).text));

const workflow = {
  topics: { difference: {} },
  producers: {
    compare: {
      publishes: ["difference"],
      schedule: { cron: "30 6 * * *", timezone: "America/New_York" },
      handler: async () => {
        const [ours, theirs] = await Promise.all([load("ledger/ours.csv"), load("ledger/theirs.csv")]);
        const ids = new Set([...ours.keys(), ...theirs.keys()]);
        for (const id of ids) {
          const [a, b] = [ours.get(id)?.amount, theirs.get(id)?.amount];
          if (a === b) continue;
          const messageId = `${id}:${a ?? "-"}:${b ?? "-"}`;
          const inputId = await Topics.registerInput({ source: "Files", type: "file", id: messageId, title: `Row ${id} differs` });
          await Topics.publish({ topic: "difference", event: { messageId, payload: { id, a: a ?? null, b: b ?? null }, inputId } });
        }
      },
    },
  },
  consumers: {
    report: {
      subscribe: ["difference"],
      prepare: async () => {
        const all = await Topics.peek({ topic: "difference", limit: 1000 });
        const lines = all.map(({ payload: { id, a, b } }) => `${id}: ${a} / ${b}`);
        return {
          reservations: [{ topic: "difference", ids: all.map((event) => event.messageId) }],
          data: { text: lines.join("\n"), n: all.length },
          ui: { title: `${all.length} difference(s)` },
        };
      },
      mutate: async ({ data }) => {
        if (data.n === 0) return;
        await User.notify({ title: `${data.n} row(s) differ`, text: data.text });
      },
    },
  },
};
