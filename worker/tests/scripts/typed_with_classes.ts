type Kind = "page" | "file";

abstract class Finder<T extends { id: string }> {
  protected readonly kind: Kind = "file";
  abstract find(): Promise<T[]>;
  async publish(topic: string): Promise<number> {
    let n = 0;
    for (const it of await this.find()) {
      const inputId = await Topics.registerInput({ source: "Files", type: this.kind, id: it.id, title: it.id });
      await Topics.publish({ topic, event: { messageId: it.id, payload: it, inputId } });
      n++;
    }
    return n;
  }
}

class Texts extends Finder<{ id: string; size: number }> {
  override async find() {
    const files = await Files.list({ dir: "texts", pattern: "*.txt" });
    return files.map(({ path, size }) => ({ id: path, size }));
  }
}

const first = <T,>(list: T[]): T | undefined => list[0];

const workflow = {
  topics: { text: {} },
  producers: {
    texts: {
      publishes: ["text"],
      schedule: { interval: "1h" },
      handler: async (): Promise<void> => {
        const n = await new Texts().publish("text");
        console.info(n, "file(s)");
      },
    },
  },
  consumers: {
    size: {
      subscribe: ["text"],
      prepare: async () => {
        const event = first(await Topics.peek({ topic: "text", limit: 1 }));
        if (!event) return { reservations: [] };
        return { reservations: [{ topic: "text", ids: [event.messageId] }], data: event.payload };
      },
      mutate: async ({ data }: { data: { id: string; size: number } }) => {
        await Files.append({ path: "out/sizes.txt", line: `${data.id!} ${data.size}` });
      },
    },
  },
};
