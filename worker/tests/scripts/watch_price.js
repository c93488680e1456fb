/* Watches a price, remembers the last one, and tells once when it falls below a limit. */
const URL_OF_SHOP = "https://shop.example.com/api/products/42";
const LIMIT = 19.99;

const workflow = {
  topics: { "price.low": {} },
  producers: {
    shop: {
      publishes: ["price.low"],
      schedule: { interval: "30m" },
      handler: async function (state) {
        const { status, body } = await Http.get({ url: URL_OF_SHOP, headers: { accept: "application/json" } });
        if (status !== 200) {
          console.warn("no price", status);
          return state;
        }
        const price = Number(body.price);
        const wasLow = state !== null && state.price < LIMIT;
        if (price < LIMIT && !wasLow) {
          const id = `${body.id}@${body.updatedAt}`;
          const inputId = await Topics.registerInput({ source: "Http", type: "page", id, title: `${body.name} for ${price}` });
          await Topics.publish({ topic: "price.low", event: { messageId: id, payload: { price, name: body.name }, inputId } });
        }
        return { price };
      },
    },
  },
  consumers: {
    tell: {
      subscribe: ["price.low"],
      prepare: async function () {
        const [event] = await Topics.peek({ topic: "price.low", limit: 1 });
        if (event === undefined) return { reservations: [] };
        const { name, price } = event.payload;
        return { reservations: [{ topic: "price.low", ids: [event.messageId] }], data: { title: name, text: `Now ${price.toFixed(2)}` } };
      },
      mutate: async function ({ data }) {
        await User.notify(data);
      },
    },
  },
};
