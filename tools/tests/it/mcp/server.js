// A server of things that does what tests ask of it: it loses answers, dies, changes its list.
const fs = require("node:fs");
const lines = (file) => (fs.existsSync(file) ? fs.readFileSync(file, "utf8").split("\n").filter(Boolean) : []);
const send = (message) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n");
const text = (text, isError) => ({ content: [{ type: "text", text }], ...(isError && { isError }) });
const waiting = [];

fs.appendFileSync("pids", process.pid + "\n");
process.stderr.write("ready for things\n");

const calls = {
  add_thing({ name, how, request_id }) {
    if (how === "refuse") return text(`no room for ${name}`, true);
    if (how === "invalid") throw { code: -32602, message: "no such name" };
    if (how === "broken") throw { code: -32000, message: "out of order" };
    if (how === "die first") process.exit(1);
    fs.appendFileSync("things", name + "\n");
    if (how === "die") process.exit(1);
    if (how === "lose") return undefined;
    return text(`added ${name}${request_id ? " as " + request_id : ""}`);
  },
  promised({ how }) {
    if (how === "invalid") throw { code: -32602, message: "the output is wrong" };
    return text("not structured");
  },
  find_things({ name }) {
    if (name === "unreadable") return text("EACCES: cannot look", true);
    if (name === "missing") return text("ENOENT: there is nothing", true);
    const things = lines("things").filter((it) => it === name).map((name) => ({ name }));
    return { ...text("see the structure"), structuredContent: { things } };
  },
  "look-around": () => text(JSON.stringify({ env: process.env, cwd: process.cwd() })),
  large: () => text("x".repeat(11 * 1024 * 1024)),
  never: () => undefined,
  // Obeys, and answers with bytes of its own.
  answer({ result }, id) {
    fs.appendFileSync("things", "answered\n");
    process.stdout.write(Buffer.from(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}\n`, "latin1"));
    return undefined;
  },
  change_list({ tools }) {
    fs.writeFileSync("tools.json", JSON.stringify(tools));
    send({ method: "notifications/tools/list_changed" });
    return text("changed");
  },
  // The first call is answered when the second has come.
  meet({ name }, id) {
    waiting.push({ id, name });
    if (waiting.length < 2) return undefined;
    for (const { id, name } of waiting.reverse()) send({ id, result: text(name) });
    return undefined;
  },
};

const pause = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);

const methods = {
  initialize: ({ protocolVersion }) => {
    while (fs.existsSync("hold")) pause();
    return {
      protocolVersion,
      capabilities: { tools: { listChanged: true } },
      serverInfo: { name: "things", version: "1.0.0" },
    };
  },
  ping: () => ({}),
  // Two pages, as a server with many tools would have.
  "tools/list": ({ cursor }) => {
    const tools = JSON.parse(fs.readFileSync("tools.json", "utf8"));
    return cursor ? { tools: tools.slice(1) } : { tools: tools.slice(0, 1), nextCursor: "rest" };
  },
  "tools/call": ({ name, arguments: input }, id) => calls[name](input ?? {}, id),
};

require("node:readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { id, method, params } = JSON.parse(line);
    if (id === undefined) return;
    try {
      const result = methods[method](params ?? {}, id);
      if (result !== undefined) send({ id, result });
    } catch (error) {
      send({ id, error: { code: error.code ?? -32603, message: String(error.message) } });
    }
  })
  .on("close", () => process.exit(0));
