const util = {
  money(text) {
    const m = /([\d.,]+)\s*(EUR|USD)/u.exec(text);
    return m && { amount: parseFloat(m[1].replace(",", ".")), currency: m[2] };
  },
  async mails(dir) {
    const files = await Files.list({ dir, pattern: "*.eml" });
    const lists = await Promise.all(files.map(({ path }) => Mail.parse({ path })));
    return lists.flat();
  },
  title: (mail) => [mail.subject, mail.from].filter((x) => !!x).join(" - "),
};

const publish = async (topic, messageId, payload, inputId) => {
  await Topics.publish({ topic, event: inputId ? { messageId, payload, inputId } : { messageId, payload } });
};

const workflow = {
  topics: { "invoice": {}, "invoice.big": {} },
  producers: {
    mails: {
      publishes: ["invoice"],
      schedule: { interval: "15m" },
      handler: async () => {
        for (const mail of await util.mails("inbox")) {
          const money = util.money(mail.text);
          if (!money || !mail.messageId) continue;
          const inputId = await Topics.registerInput({ source: "Mail", type: "message", id: mail.messageId, title: util.title(mail) });
          await publish("invoice", mail.messageId, money, inputId);
        }
      },
    },
  },
  consumers: {
    sheet: {
      subscribe: ["invoice"],
      publishes: ["invoice.big"],
      prepare: async () => {
        const [e] = await Topics.peek({ topic: "invoice", limit: 1 });
        if (!e) return { reservations: [] };
        return { reservations: [{ topic: "invoice", ids: [e.messageId] }], data: { id: e.messageId, ...e.payload } };
      },
      mutate: async ({ data: { id, amount, currency } }) => {
        await Files.append({ path: "out/invoices.csv", line: [id, amount, currency].join(","), key: id });
      },
      next: async ({ data }, result) => {
        if (result.status === "applied" && data.amount > 1000) await publish("invoice.big", data.id, data);
      },
    },
    alert: {
      subscribe: ["invoice.big"],
      prepare: async () => {
        const [e] = await Topics.peek({ topic: "invoice.big", limit: 1 });
        return e
          ? { reservations: [{ topic: "invoice.big", ids: [e.messageId] }], data: e.payload }
          : { reservations: [] };
      },
      mutate: async (prepared) => {
        const { amount, currency } = prepared.data;
        return User.notify({ title: "A large invoice", text: `${amount} ${currency}` });
      },
    },
  },
};
