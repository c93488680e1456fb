// An agent that uses the TypeScript SDK of the protocol. It prints what it saw as one JSON document.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const [program, database, plan] = process.argv.slice(2);
const client = new Client({ name: "Foreign Client", version: "1.0.0" });
await client.connect(new StdioClientTransport({ command: program, args: ["mcp", "--database", database] }));

const { tools } = await client.listTools();
const { prompts } = await client.listPrompts();
const { resources } = await client.listResources();
const call = (name, args) => client.callTool({ name, arguments: args });

const recorded = (await call("record_plan", JSON.parse(plan))).structuredContent;
const started = (await call("record_execution_start", { plan_id: recorded.plan_id })).structuredContent;
const execution = { execution_id: started.execution_id };
const step = await call("record_step", { ...execution, step_id: "flight", status: "completed", result: { booking: "X7" } });
const wrong = await call("record_step", { ...execution, step_id: "mail", status: "running" });
const ledger = await call("query_ledger", { ...execution, include_step_details: true, include_events: true });
const prompt = await client.getPrompt({ name: "execution_planning_prompt", arguments: { goal: "a trip" } });
const page = await client.readResource({ uri: "resource://execution-journal/documentation" });

console.log(JSON.stringify({
  tools: tools.map((tool) => tool.name),
  prompts: prompts.map((it) => it.name),
  resources: resources.map((it) => it.uri),
  step,
  wrong,
  ledger,
  roles: prompt.messages.map((message) => message.role),
  page: page.contents[0].mimeType,
}));
await client.close();
