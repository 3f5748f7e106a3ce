"""The GGUF behind xllamacpp's own HTTP server, as Servery's embedded engine runs it: one thread, loopback."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

import xllamacpp

from training.conversation import Conversation

Reply = dict[str, Any]


class Engine:
    """A server with four slots in this process, and a client of it."""

    def __init__(self, path: Path, slots: int = 4) -> None:
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(path)
        parameters.hostnames = ["127.0.0.1"]
        parameters.port = 0
        parameters.n_parallel = slots
        parameters.n_ctx = 4096 * slots
        parameters.kv_unified = False
        parameters.cpuparams.n_threads = 1
        parameters.cpuparams_batch.n_threads = 1
        parameters.use_jinja = True
        parameters.verbosity = -1
        self._server = xllamacpp.Server(parameters)
        self._host = self._server.listening_address.removeprefix("http://")

    def post(self, path: str, body: Reply) -> Reply:
        """One request; the answer's JSON."""
        connection = http.client.HTTPConnection(self._host, timeout=120)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def chat(self, conversation: Conversation, **options: object) -> Reply:
        """The whole response to a conversation that ends with the user or a tool; greedy unless told."""
        messages = []
        for message in conversation.messages:
            entry: Reply = {"role": message.role, "content": message.content}
            if message.tool_calls:
                entry["tool_calls"] = [
                    {
                        "id": f"call{i}",
                        "type": "function",
                        "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
                    }
                    for i, call in enumerate(message.tool_calls)
                ]
            if message.role == "tool":
                entry["tool_call_id"] = "call0"
            messages.append(entry)
        body: Reply = {"messages": messages, "temperature": 0, "max_tokens": 1200, **options}
        if conversation.tools:
            body["tools"] = list(conversation.tools)
        return self.post("/v1/chat/completions", body)

    def answer(self, conversation: Conversation, **options: object) -> Reply:
        """The message of the response, or an empty one where the server refused."""
        choices = self.chat(conversation, **options).get("choices") or [{"message": {"content": ""}}]
        return choices[0]["message"]
