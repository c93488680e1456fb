"""An agent that uses the Python SDK of the protocol. It prints what it saw as one JSON document."""

import asyncio
import json
import sys

from mcp import ClientSession, StdioServerParameters, stdio_client


def plain(value):
    return value.model_dump(mode="json", by_alias=True, exclude_none=True)


async def converse(program, database, plan):
    server = StdioServerParameters(command=program, args=["mcp", "--database", database])
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        tools = plain(await session.list_tools())["tools"]
        prompts = plain(await session.list_prompts())["prompts"]
        resources = plain(await session.list_resources())["resources"]

        async def call(tool, **arguments):
            return plain(await session.call_tool(tool, arguments))

        recorded = (await call("record_plan", **plan))["structuredContent"]
        started = (await call("record_execution_start", plan_id=recorded["plan_id"]))["structuredContent"]
        execution = started["execution_id"]
        step = await call("record_step", execution_id=execution, step_id="flight", status="completed", result={"booking": "X7"})
        wrong = await call("record_step", execution_id=execution, step_id="mail", status="running")
        ledger = await call("query_ledger", execution_id=execution, include_step_details=True, include_events=True)
        prompt = plain(await session.get_prompt("execution_planning_prompt", {"goal": "a trip"}))
        page = plain(await session.read_resource("resource://execution-journal/documentation"))
        return {
            "tools": [tool["name"] for tool in tools],
            "prompts": [it["name"] for it in prompts],
            "resources": [it["uri"] for it in resources],
            "step": step,
            "wrong": wrong,
            "ledger": ledger,
            "roles": [message["role"] for message in prompt["messages"]],
            "page": page["contents"][0]["mimeType"],
        }


program, database, plan = sys.argv[1:]
print(json.dumps(asyncio.run(converse(program, database, json.loads(plan)))))
