// One mail becomes an event for each of its attachments' kinds.
const KINDS = ["pdf", "image", "other"];
const kindOf = ({ type }) => (type === "application/pdf" ? "pdf" : type.startsWith("image/") ? "image" : "other");
const topicOf = (kind) => `attachment.${kind}`;
const topics = Object.fromEntries(KINDS.map((kind) => [topicOf(kind), {}]));

const consumer = (kind) => ({
  subscribe: [topicOf(kind)],
  prepare: async () => {
    const [event] = await Topics.peek({ topic: topicOf(kind), limit: 1 });
    if (!event) return { reservations: [] };
    return { reservations: [{ topic: topicOf(kind), ids: [event.messageId] }], data: event.payload };
  },
  mutate: async ({ data }) => {
    await Files.append({ path: `out/${kind}.txt`, line: `${data.mail} ${data.name}` });
  },
});

const workflow = {
  topics,
  producers: {
    mails: {
      publishes: Object.keys(topics),
      schedule: { interval: "2m" },
      handler: async () => {
        const files = await Files.list({ dir: "inbox", pattern: "*.{eml,mbox}" });
        for (const file of files) {
          for (const mail of await Mail.parse({ path: file.path })) {
            const id = mail.messageId || file.path;
            for (const [index, attachment] of mail.attachments.entries()) {
              const messageId = [id, index].join("#");
              const inputId = await Topics.registerInput({ source: "Mail", type: "message", id, title: mail.subject || "(no subject)" });
              const event = { messageId, payload: { mail: id, name: attachment.name ?? "unnamed" }, inputId };
              await Topics.publish({ topic: topicOf(kindOf(attachment)), event });
            }
          }
        }
      },
    },
  },
  consumers: Object.fromEntries(KINDS.map((kind) => [kind, consumer(kind)])),
};
