"""A server of the Model Context Protocol on standard input and output, with one tool: mcp_server.py <its answer>"""
import json
import sys

TOOL = {"name": "say", "description": "Says the word.", "inputSchema": {
    "$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {"loud": {"type": "boolean"}}}}


def answer(request):
    method = request["method"]
    if method == "initialize":
        return {"protocolVersion": request["params"]["protocolVersion"], "capabilities": {"tools": {}},
                "serverInfo": {"name": "words", "version": "1"}}
    if method == "tools/list":
        return {"tools": [TOOL]}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": sys.argv[1]}]}
    return {}


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": answer(message)}), flush=True)
