"""Requests for messages: how they are rewritten in OpenAI's form, and what is refused."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.web_dialects.parsers import parse_messages

from servery.core.anthropic_form import AnthropicForm
from servery.core.errors import InvalidRequest
from servery.core.inference import Generation, InferenceRequest
from servery.core.sampling import Sampling
from servery.core.serving_path import Endpoint
from servery.core.structure import StructureKind

REQUEST_ID = "chatcmpl-" + "ab" * 16
HI = [{"role": "user", "content": "hi"}]
TOOL = {"name": "get_weather", "description": "d", "input_schema": {"type": "object"}}
USE = {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Oslo"}}
CALL = {"id": "t1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "4"}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
PIXEL = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}


def text(words: str, **fields: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **fields}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def request(headers: dict[str, str] | None = None, **fields: Any) -> InferenceRequest:
    body = msgspec.json.encode({"model": "m", "messages": HI, "max_tokens": 10, **fields})
    return parse_messages(body, headers or {}, REQUEST_ID).request


def generation(**fields: Any) -> Generation:
    (work,) = request(**fields).work
    assert isinstance(work, Generation)
    return work


def conversation(*messages: Any, **fields: Any) -> list[dict[str, Any]]:
    """In OpenAI's form. It is told, too, where its last message begins."""
    told = generation(messages=messages, **fields)
    assert told.messages is not None
    decoded: list[dict[str, Any]] = msgspec.json.decode(told.messages)
    assert msgspec.json.decode(told.messages[told.last_message : -1]) == decoded[-1]
    return decoded


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        request(**fields)
    return caught.value


def test_a_plain_request() -> None:
    """The least that is asked: a model, a message, a limit."""
    asked = request()
    assert (asked.endpoint, asked.model, asked.stream, asked.priority) == (Endpoint.CHAT, "m", False, False)
    hi = b'[{"role":"user","content":"hi"}]'
    assert asked.work == (Generation(messages=hi, max_tokens=10, anthropic=AnthropicForm(messages=msgspec.Raw(hi))),)


def test_max_tokens_may_be_absent() -> None:
    """Some clients leave it out; then the answer is as long as fits."""
    assert generation(max_tokens=None).max_tokens is None


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([user(text("a"))], [{"role": "user", "content": "a"}]),
        ([user(text("a"), text("b"))], [{"role": "user", "content": "a\nb"}]),
        ([*HI, *HI], [{"role": "user", "content": "hi\nhi"}]),
        ([user(text("a"), IMAGE)], [{"role": "user", "content": [text("a"), PIXEL]}]),
        (
            [*HI, assistant({"type": "thinking", "thinking": "hm", "signature": "s"}, text("a"), USE)],
            [
                {"role": "user", "content": "hi"},
                {
                    "role": "assistant",
                    "content": "a",
                    "reasoning_content": "hm",
                    "tool_calls": [CALL],
                },
            ],
        ),
        ([user(RESULT)], [{"role": "tool", "tool_call_id": "t1", "content": "4"}]),
        (
            [user(RESULT, {**RESULT, "tool_use_id": "t2", "is_error": True}, text("now?"))],
            [
                {"role": "tool", "tool_call_id": "t1", "content": "4"},
                {"role": "tool", "tool_call_id": "t2", "content": "Error: 4"},
                {"role": "user", "content": "now?"},
            ],
        ),
        (
            [user({**RESULT, "content": [text("a"), IMAGE, text("b")]}, {**RESULT, "content": None}, text("see?"))],
            [
                {"role": "tool", "tool_call_id": "t1", "content": "a\nb"},
                {"role": "tool", "tool_call_id": "t1", "content": ""},
                {"role": "user", "content": [PIXEL, text("see?")]},
            ],
        ),
        (
            [user(text("first"), RESULT)],
            [{"role": "user", "content": "first"}, {"role": "tool", "tool_call_id": "t1", "content": "4"}],
        ),
        (
            [*HI, assistant({"type": "redacted_thinking", "data": "x"}, text("a")), {"role": "system", "content": "b"}],
            [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": "a"},
                {"role": "system", "content": "b"},
            ],
        ),
        ([assistant(USE)], [{"role": "assistant", "content": None, "tool_calls": [CALL]}]),
    ],
)
def test_turns_in_openais_form(messages: list[Any], expected: list[dict[str, Any]]) -> None:
    """Each kind of block has its place in OpenAI's messages, in the order in which it stood."""
    assert conversation(*messages) == expected


@pytest.mark.parametrize("system", ["be brief", [text("be", cache_control={"type": "ephemeral"}), text("brief")]])
def test_the_system_prompt_comes_first(system: object) -> None:
    """A text, or blocks with cache marks, which change nothing: caching is automatic."""
    first = conversation(*HI, system=system)[0]
    assert (first["role"], first["content"].split()) == ("system", ["be", "brief"])


def test_a_results_images_are_shown_once() -> None:
    """They follow their result, and nothing else."""
    shows = {**RESULT, "content": [IMAGE]}
    written = conversation(user(shows, text("see?"), RESULT, text("and now?")))
    assert [message["content"] for message in written] == ["", [PIXEL, text("see?")], "4", "and now?"]


def test_images_are_noticed_wherever_they_stand() -> None:
    """Also in a tool's result; images are given by data or by URL."""
    assert generation(messages=[user(IMAGE)]).has_images
    assert generation(messages=[user({**RESULT, "content": [IMAGE]})]).has_images
    assert not generation().has_images
    url = {"type": "image", "source": {"type": "url", "url": "https://host/x.png"}}
    assert conversation(user(url))[0]["content"][0]["image_url"] == {"url": "https://host/x.png"}


@given(
    st.lists(st.tuples(st.booleans(), st.lists(st.text(min_size=1), min_size=1, max_size=3)), min_size=2, max_size=6),
    st.data(),
)
def test_a_growing_conversation_keeps_its_bytes(talk: list[tuple[bool, list[str]]], data: st.DataObject) -> None:
    """What a turn adds comes after the bytes that were there, so that replicas' caches are found by prefix."""
    turns = [
        (user if number % 2 == 0 else assistant)(*(text(words) for words in texts))
        for number, (_, texts) in enumerate(talk)
    ]
    shorter = turns[: data.draw(st.integers(1, len(turns) - 1))]
    before, after = (bytes(generation(messages=part, system="s").messages or b"") for part in (shorter, turns))
    assert after.startswith(before[:-1] + b",")


@pytest.mark.parametrize(
    ("choice", "expected", "parallel"),
    [
        (None, None, None),
        ({"type": "auto"}, "auto", None),
        ({"type": "any", "disable_parallel_tool_use": True}, "required", False),
        ({"type": "none"}, "none", None),
        ({"type": "tool", "name": "get_weather"}, {"type": "function", "function": {"name": "get_weather"}}, None),
    ],
)
def test_tools_in_openais_form(choice: object, expected: object, parallel: bool | None) -> None:
    """Schemas, choices and the wish for one call at a time are rewritten."""
    marked = {**TOOL, "type": "custom", "cache_control": {"type": "ephemeral"}, "eager_input_streaming": True}
    asked = generation(tools=[marked], tool_choice=choice)
    function = {"name": "get_weather", "description": "d", "parameters": {"type": "object"}}
    assert msgspec.json.decode(asked.tools or b"") == [{"type": "function", "function": function}]
    assert (asked.tool_choice and msgspec.json.decode(asked.tool_choice)) == expected
    assert asked.parallel_tool_calls is parallel


def test_sampling_and_stops() -> None:
    """The fields that both dialects have are handed on."""
    asked = generation(temperature=0.5, top_p=0.9, top_k=500, stop_sequences=["a", "b"])
    assert asked.sampling == Sampling(temperature=0.5, top_p=0.9, top_k=500)
    assert asked.stop == ("a", "b")


@pytest.mark.parametrize(
    "fields",
    [
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        {"output_format": {"type": "json_schema", "schema": {"type": "object"}}},
    ],
)
def test_structured_output(fields: dict[str, Any]) -> None:
    """A schema for the answer, in the place of today or the one before."""
    structure = generation(**fields).structure
    assert structure is not None
    assert (structure.kind, bytes(structure.schema or b"")) == (StructureKind.JSON_SCHEMA, b'{"type":"object"}')


@pytest.mark.parametrize(
    ("fields", "effort", "thinks"),
    [
        ({}, None, None),
        ({"thinking": {"type": "adaptive"}}, None, None),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, "none", False),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low", True),
        ({"thinking": {"type": "enabled", "budget_tokens": 5000}}, "medium", True),
        ({"thinking": {"type": "enabled", "budget_tokens": 10000}}, "high", True),
        ({"thinking": {"type": "enabled", "budget_tokens": 10000}, "output_config": {"effort": "low"}}, "low", True),
        ({"output_config": {"effort": "xhigh"}}, "max", None),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}}, "medium", None),
    ],
)
def test_thinking_by_budget_or_effort(fields: dict[str, Any], effort: str | None, thinks: bool | None) -> None:
    """A budget stands for a level; a level that is named goes before it."""
    asked = generation(max_tokens=32_000, **fields)
    options = asked.template_options and msgspec.json.decode(asked.template_options)
    assert asked.reasoning_effort == effort
    assert options == (None if thinks is None else {"enable_thinking": thinks})


@pytest.mark.parametrize(
    ("edit", "kept"),
    [
        ({"keep": "all"}, ["a", "b", "c"]),
        ({"keep": {"type": "all"}}, ["a", "b", "c"]),
        ({"keep": {"type": "thinking_turns", "value": 2}}, ["b", "c"]),
        ({}, ["c"]),
    ],
)
def test_past_thinking_is_cleared_on_demand(edit: dict[str, Any], kept: list[str]) -> None:
    """Thinking of the last turns stays in the prompt, that of older ones goes."""
    turns = [assistant({"type": "thinking", "thinking": hm, "signature": ""}, text("x")) for hm in "abc"]
    edits = {"edits": [{"type": "clear_thinking_20251015", **edit}]}
    written = conversation(*HI, turns[0], *HI, turns[1], *HI, turns[2], context_management=edits)
    assert [message["reasoning_content"] for message in written if "reasoning_content" in message] == kept


@pytest.mark.parametrize(
    ("headers", "metadata", "session"),
    [
        ({}, None, None),
        ({}, {"user_id": "u"}, "u"),
        ({"x-claude-code-session-id": "c"}, {"user_id": "u"}, "c"),
        ({"x-session-affinity": "h", "x-claude-code-session-id": "c"}, None, "h"),
    ],
)
def test_sessions(headers: dict[str, str], metadata: object, session: str | None) -> None:
    """Our header first, then Claude Code's, then the user."""
    assert request(headers, metadata=metadata).session == session


@pytest.mark.parametrize(
    ("tier", "priority"), [("priority", True), ("auto", False), ("standard_only", False), (None, False)]
)
def test_service_tiers(tier: str | None, priority: bool) -> None:
    """Only ``priority`` is a tier of its own."""
    assert request(service_tier=tier).priority is priority


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"temperature": 1.1}, "temperature"),
        ({"top_p": 2}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"stop_sequences": [""]}, "stop_sequences[0]"),
        ({"stop_sequences": ["x"] * 17}, "stop_sequences"),
        ({"messages": []}, "messages"),
        ({"messages": [user()]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [user({"type": "text", "text": 5})]}, "messages"),
        ({"messages": [user({**RESULT, "content": 5})]}, "messages"),
        ({"system": 5}, "system"),
        ({"system": [IMAGE]}, "system[0].type"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [user(USE)]}, "messages"),
        ({"messages": [assistant(RESULT)]}, "messages"),
        ({"messages": [assistant(IMAGE)]}, "messages"),
        ({"messages": [assistant({**USE, "input": [1]})]}, "messages"),
        ({"messages": [{"role": "system", "content": [IMAGE]}]}, "messages"),
        ({"messages": [user({"type": "document", "source": {}})]}, "messages[0].content[0].type"),
        ({"messages": [user({"type": "search_result"})]}, "messages[0].content[0].type"),
        ({"messages": [user(text("a", citations=[{"type": "x"}]))]}, "messages[0].content[0].citations"),
        ({"messages": [user(text("a", colour=1))]}, "messages[0].content[0].colour"),
        (
            {"messages": [user({"type": "image", "source": {"type": "file", "file_id": "f"}})]},
            "messages[0].content[0].source.type",
        ),
        ({"messages": [user({"type": "image", "source": {"type": "url", "url": "file:///x"}})]}, "messages"),
        ({"messages": [user(*[IMAGE] * 31)]}, "messages"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 5}]}, "tools[0]"),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools[0]"),
        ({"tools": [{"name": "x"}]}, "tools[0].input_schema"),
        ({"tools": [{**TOOL, "defer_loading": True}]}, "tools[0].defer_loading"),
        ({"tools": [{**TOOL, "name": "a b"}]}, "tools[0].function.name"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool"}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "x"}}, "tool_choice"),
        ({"thinking": {"type": "enabled"}}, "thinking"),
        ({"thinking": {"type": "enabled", "budget_tokens": 100}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}, "max_tokens": 2000}, "thinking"),
        ({"output_config": {"format": {"type": "json_schema", "schema": "x"}}}, "output_config"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort"),
        ({"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}, "context_management.edits[0].type"),
        ({"mcp_servers": [{}]}, "mcp_servers"),
        ({"container": "c"}, "container"),
        ({"speed": "fast"}, "speed"),
        ({"inference_geo": "us"}, "inference_geo"),
        ({"raw_output": True}, "raw_output"),
        ({"diagnostics": {}}, "diagnostics"),
        ({"n": 2}, "n"),
    ],
)
def test_what_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    """What cannot be understood or honoured is a 400 that names its field; nothing is dropped silently."""
    assert refusal(**fields).param == param


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"model":"m","messages":' + b"[" * 100_000])
def test_a_body_that_is_no_request(body: bytes) -> None:
    """Broken JSON, broken text and nesting bombs are a 400 with a sentence."""
    with pytest.raises(InvalidRequest):
        parse_messages(body, {}, REQUEST_ID)


# In the client's own form, for engines that speak it


def own_form(**fields: Any) -> dict[str, Any] | None:
    form = generation(**fields).anthropic
    return (
        None
        if form is None
        else {
            name: msgspec.json.decode(part)
            for name in form.__struct_fields__
            if (part := getattr(form, name)) is not None
        }
    )


def test_the_clients_own_form_is_kept() -> None:
    """Messages to the byte; the system's texts as one, joined as in the other form; the older name of the format."""
    messages = [user(text("a"), {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}})]
    tool = {"name": "paint", "input_schema": {"type": "object"}}
    schema = {"type": "json_schema", "schema": {"type": "object"}}
    assert own_form(
        messages=messages,
        system=[text("be"), text("brief")],
        tools=[tool],
        tool_choice={"type": "any"},
        thinking={"type": "adaptive"},
        output_config={"effort": "low"},
        output_format=schema,
        metadata={"user_id": "u"},
        service_tier="auto",
    ) == {
        "messages": messages,
        "system": "be\nbrief",
        "tools": [tool],
        "tool_choice": {"type": "any"},
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "low", "format": schema},
    }
    assert own_form() == {"messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    "fields",
    [
        {"thinking": {"type": "enabled", "budget_tokens": 2_000}, "max_tokens": 4_000},
        {"thinking": {"type": "adaptive", "display": "omitted"}},
        {"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}},
        {
            "messages": [
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
                user({"type": "tool_result", "tool_use_id": "t", "content": "oh", "is_error": True}),
            ]
        },
    ],
)
def test_what_engines_would_drop_from_it_is_in_the_other_form_only(fields: dict[str, Any]) -> None:
    """A budget that they were not started for, thinking to be omitted or forgotten, that a tool has failed."""
    assert own_form(**fields) is None
