interface Order { id: number; total: number; customer?: { name: string } }
type Row = Pick<Order, "id" | "total"> & { name: string };

const isOrder = (it: unknown): it is Order => typeof it === "object" && it !== null && "id" in it;

async function orders(url: string): Promise<Order[]> {
  const { status, body } = await Http.get({ url });
  if (status !== 200 || !Array.isArray(body)) return [];
  return (body as unknown[]).filter(isOrder);
}

const workflow = {
  topics: { "order.paid": {} },
  producers: {
    shop: {
      publishes: ["order.paid"],
      schedule: { interval: "5m" },
      handler: async (state: { last: number } | null) => {
        const last = state?.last ?? 0;
        const fresh = (await orders(`https://shop.example.com/orders?after=${last}`)).sort((a, b) => a.id - b.id);
        for (const order of fresh) {
          const id = `order-${order.id}`;
          const inputId: string = await Topics.registerInput({ source: "Http", type: "page", id, title: `Order ${order.id}` });
          const row: Row = { id: order.id, total: order.total, name: order.customer?.name ?? "?" };
          await Topics.publish({ topic: "order.paid", event: { messageId: id, payload: row, inputId } });
        }
        return { last: fresh.at(-1)?.id ?? last };
      },
    },
  },
  consumers: {
    book: {
      subscribe: ["order.paid"],
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "order.paid", limit: 1 });
        if (!event) return { reservations: [] as { topic: string; ids: string[] }[] };
        return { reservations: [{ topic: "order.paid", ids: [event.messageId] }], data: event.payload as Row };
      },
      mutate: async ({ data }: { data: Row }) => {
        await Http.put({ url: `https://books.example.com/rows/${data.id}`, body: data, headers: { "x-total": String(data.total) } });
      },
    },
  },
} satisfies Record<string, unknown>;
