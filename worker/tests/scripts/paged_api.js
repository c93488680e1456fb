const BASE = "https://api.example.com/v1";

const get = async (path, query = {}) => {
  const q = Object.entries(query).map(([k, v]) => `${encodeURIComponent(k)}=${encodeURIComponent(v)}`).join("&");
  const answer = await Http.get({ url: `${BASE}${path}${q && "?" + q}` });
  if (answer.status >= 400) throw new Error(`${path} answers ${answer.status}`);
  return answer.body;
};

async function allPages(path) {
  const items = [];
  let cursor = null;
  do {
    const page = await get(path, cursor ? { cursor } : {});
    items.push(...page.items);
    cursor = page.next;
  } while (cursor);
  return items;
}

const workflow = {
  topics: { "ticket.open": {}, "ticket.told": {} },
  producers: {
    tickets: {
      publishes: ["ticket.open"],
      schedule: { interval: "10m" },
      handler: async () => {
        const tickets = await allPages("/tickets");
        await Promise.all(
          tickets.filter((t) => t.state === "open").map(async (ticket) => {
            const inputId = await Topics.registerInput({ source: "Web", type: "page", id: String(ticket.id), title: ticket.title });
            await Topics.publish({ topic: "ticket.open", event: { messageId: String(ticket.id), payload: ticket, inputId } });
          }),
        );
      },
    },
  },
  consumers: {
    label: {
      subscribe: ["ticket.open"],
      publishes: ["ticket.told"],
      prepare: async () => {
        const events = await Topics.peek({ topic: "ticket.open", limit: 20 });
        const urgent = events.find((e) => /urgent|down/iu.test(e.payload.title)) ?? events[0];
        if (!urgent) return { reservations: [] };
        return { reservations: [{ topic: "ticket.open", ids: [urgent.messageId] }], data: { id: urgent.messageId } };
      },
      mutate: async ({ data }) => {
        await Http.post({ url: `${BASE}/tickets/${data.id}/labels`, body: { name: "seen" } });
      },
      next: async ({ data }, outcome) => {
        if (outcome.status !== "applied") return;
        await Topics.publish({ topic: "ticket.told", event: { messageId: data.id, payload: { status: outcome.result.status } } });
      },
    },
    count: {
      subscribe: ["ticket.told"],
      prepare: async (state) => {
        const told = await Topics.peek({ topic: "ticket.told" });
        return { reservations: [{ topic: "ticket.told", ids: told.map((t) => t.messageId) }], data: { total: (state?.total ?? 0) + told.length } };
      },
      next: async ({ data }) => ({ total: data.total }),
    },
  },
};
