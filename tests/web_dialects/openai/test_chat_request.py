"""Requests for chat: what is taken, how it is understood, and what is refused by name."""

import json
import sys
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.web_dialects.parsers import parse_chat

from servery.core.engine_family import EngineFamily
from servery.core.engine_features import honoured_by
from servery.core.errors import InvalidRequest
from servery.core.inference import Generation, InferenceRequest
from servery.core.serving_path import Endpoint
from servery.core.structure import StructureKind
from servery.engines.body import check_honoured

REQUEST_ID = "chatcmpl-" + "ab" * 16
HI = [{"role": "user", "content": "hi"}]
WEATHER = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
TOOLS = [{"type": "function", "function": WEATHER}]
CALL = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'}}
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def request(headers: dict[str, str] | None = None, **fields: Any) -> InferenceRequest:
    body = msgspec.json.encode({"model": "m", "messages": HI, **fields})
    return parse_chat(body, headers or {}, REQUEST_ID).request


def generation(**fields: Any) -> Generation:
    work = request(**fields).work[0]
    assert isinstance(work, Generation)
    return work


def allowed(mode: str, *names: str) -> dict[str, Any]:
    """A choice of some tools, as OpenAI's clients write it."""
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        request(**fields)
    return caught.value


def refusal_of(body: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse_chat(body, {}, REQUEST_ID)
    return caught.value


def messages_of(asked: Generation) -> list[dict[str, Any]]:
    decoded: list[dict[str, Any]] = msgspec.json.decode(asked.messages or b"")
    return decoded


def test_a_plain_request() -> None:
    """The least that can be asked: a model and a message; all else is left to the catalog and the engine."""
    asked = request()
    assert (asked.request_id, asked.endpoint, asked.model) == (REQUEST_ID, Endpoint.CHAT, "m")
    assert (asked.stream, asked.priority, asked.choices_per_prompt, asked.truncate_to_context) == (
        False,
        False,
        1,
        True,
    )
    assert asked.work == (Generation(messages=b'[{"role":"user","content":"hi"}]'),)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": "1"}, "temperature"),
        ({"top_p": 1.1}, "top_p"),
        ({"top_k": 101}, "top_k"),
        ({"top_k": -2}, "top_k"),
        ({"min_p": 2}, "min_p"),
        ({"frequency_penalty": 2.1}, "frequency_penalty"),
        ({"presence_penalty": -2.1}, "presence_penalty"),
        ({"repetition_penalty": 2.5}, "repetition_penalty"),
        ({"logit_bias": {"5": 101}}, "logit_bias[...]"),
        ({"logit_bias": {"five": 1}}, "logit_bias"),
        ({"seed": 1.5}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 5, "max_completion_tokens": 5}, "max_completion_tokens"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"stop": [""]}, "stop[0]"),
        ({"logprobs": 6}, "logprobs"),
        ({"logprobs": -1}, "logprobs"),
        ({"top_logprobs": 21, "logprobs": True}, "top_logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"buffer_ms": 5}}, "stream_options.buffer_ms"),
        ({"stream": True, "stream_options": {"x": 1}}, "stream_options.x"),
        ({"context_length_exceeded_behavior": "guess"}, "context_length_exceeded_behavior"),
        ({"model": ""}, "model"),
        ({"metadata": {"a": 1}}, "metadata[...]"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"reasoning_effort": 0}, "reasoning_effort"),
        ({"reasoning_effort": "low", "thinking": {"type": "enabled"}}, "thinking"),
        ({"thinking": {"type": "enabled", "budget_tokens": 100}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "disabled", "budget_tokens": 2000}}, "thinking.budget_tokens"),
        ({"chat_template_kwargs": {"chat_template": "{{ 1 }}"}}, "chat_template_kwargs.chat_template"),
        ({"chat_template_kwargs": {"enable_thinking": "no"}}, "chat_template_kwargs.enable_thinking"),
        ({"chat_template_kwargs": []}, "chat_template_kwargs"),
        (
            {"chat_template_kwargs": {"enable_thinking": True}, "reasoning_effort": "none"},
            "chat_template_kwargs.enable_thinking",
        ),
        (
            {"chat_template_kwargs": {"thinking": False}, "thinking": {"type": "enabled"}},
            "chat_template_kwargs.thinking",
        ),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {}, "x": 1}}},
            "response_format.json_schema.x",
        ),
        ({"response_format": {"type": "json_schema", "json_schema": "{"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": [1]}}, "response_format"),
        ({"response_format": {"type": "grammar"}}, "response_format.grammar"),
        ({"response_format": {"type": "text", "schema": {"type": "object"}}}, "response_format"),
        ({"response_format": {"type": "json_object", "grammar": "root ::= x"}}, "response_format"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        (
            {"tools": [{"type": "function", "function": {"name": "a", "parameters": []}}]},
            "tools[0].function.parameters",
        ),
        ({"tools": TOOLS * 2}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": {"type": "custom", "custom": {"name": "x"}}}, "tool_choice.type"),
        ({"tools": TOOLS, "tool_choice": allowed("auto", "get_weather", "x")}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": allowed("auto")}, "tool_choice.allowed_tools.tools"),
        ({"tools": TOOLS, "tool_choice": allowed("none", "get_weather")}, "tool_choice.allowed_tools.mode"),
        ({"tools": TOOLS, "functions": [WEATHER]}, "functions"),
        ({"function_call": {"name": "x"}}, "function_call"),
        ({"modalities": ["audio"]}, "modalities[0]"),
        ({"no_such_field": 1}, "no_such_field"),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    """A value outside the documented range is a 400 that names its field."""
    assert refusal(**fields).param == param


@pytest.mark.parametrize(
    ("name", "value", "off"),
    [
        ("speculation", "x", ""),
        ("prediction", {"type": "content", "content": "x"}, None),
        ("sampling_mask", "count", None),
        ("include_routing_matrix", True, False),
        ("return_token_ids", True, False),
        ("raw_output", True, False),
        ("echo_last", 3, 0),
        ("echo", True, False),
        ("prompt_truncate_len", 100, 0),
        ("prompt_token_ids", [1], []),
        ("prompt_cache_max_len", 0, None),
        ("safe_tokenization", True, False),
        ("audio", {"voice": "a"}, None),
        ("web_search_options", {}, None),
        ("moderation", {"model": "x"}, None),
        ("verbosity", "high", "medium"),
        ("store", True, False),
    ],
)
def test_what_is_not_supported_is_never_dropped(name: str, value: object, off: object) -> None:
    """A known field that cannot be honoured is a 400 naming it, unless it holds what means off."""
    assert refusal(**{name: value}).param == name
    assert request(**{name: off}) == request(**{name: None}) == request()


@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": {"a": "b"}},
        {"user": "u"},
        {"safety_identifier": "s"},
        {"prompt_cache_retention": "24h"},
        {"prompt_cache_options": {"mode": "implicit"}},
        {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
        {"stream": True, "stream_options": {"include_usage": True, "continuous_usage_stats": True}, "stop": None},
        {"service_tier": "flex"},
        {"service_tier": "scale"},
        {"tools": []},
        {"tools": None, "tool_choice": "auto"},
        {"response_format": {"type": "text"}},
        {"modalities": ["text"]},
        {"reasoning_effort": "adaptive"},
        {"perf_metrics_in_response": True},
    ],
)
def test_what_has_no_effect_on_the_answer_is_taken(fields: dict[str, Any]) -> None:
    """Fields for tracing, billing and clients' habits pass, and ask the engine for nothing."""
    assert generation(**fields) == generation()


def test_sampling_reaches_the_engine() -> None:
    """Every field of sampling that the API documents is handed on as it came."""
    fields: dict[str, Any] = {
        "temperature": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.1, "typical_p": 0.8, "frequency_penalty": 0.1,
        "presence_penalty": -0.1, "repetition_penalty": 1.1, "mirostat_target": 5.0, "mirostat_lr": 0.1,
        "logit_bias": {"5": -100.0}, "seed": 7, "ignore_eos": True, "min_tokens": 3, "stop_token_ids": [7, 9],
    }  # fmt: skip
    assert generation(**fields).sampling.given == {**fields, "stop_token_ids": (7, 9)}


@pytest.mark.parametrize("fields", [{"min_tokens": 0}, {"stop_token_ids": []}, {"min_tokens": None}])
def test_sampling_that_asks_for_nothing_is_none(fields: dict[str, Any]) -> None:
    """What clients send by habit is taken, whatever the engine knows."""
    assert generation(**fields) == generation()


@pytest.mark.parametrize("top_k", [0, -1])
def test_of_all_tokens_has_two_spellings(top_k: int) -> None:
    """That of the API, and that of vLLM and SGLang."""
    assert generation(top_k=top_k).sampling.given == {"top_k": 0}


def test_choices_have_consecutive_seeds() -> None:
    """``n`` choices become ``n`` elements of work; with a seed, each its own, so that they differ and repeat."""
    asked = request(n=3, seed=2**63 - 1)
    seeds = [work.sampling.seed for work in asked.work if isinstance(work, Generation)]
    assert seeds == [2**63 - 1, -(2**63), -(2**63) + 1]
    assert asked.choices_per_prompt == 3
    assert len(request(n=128).work) == 128


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6}, 6),
        ({"max_tokens": None, "max_completion_tokens": 6}, 6),
        ({}, None),
    ],
)
def test_both_names_of_max_tokens(fields: dict[str, Any], expected: int | None) -> None:
    """Either name sets the same limit; absent means whatever fits."""
    assert generation(**fields).max_tokens == expected


@pytest.mark.parametrize(
    ("stop", "expected"), [("x", ("x",)), (["a", "b"], ("a", "b")), ("", ()), ([], ()), (None, ())]
)
def test_stops(stop: object, expected: tuple[str, ...]) -> None:
    """One stop text or several; an empty one stops nothing."""
    assert generation(stop=stop).stop == expected


@pytest.mark.parametrize(
    ("asked_format", "kind", "schema"),
    [
        ({"type": "json_object"}, StructureKind.JSON_OBJECT, None),
        ({"type": "json_object", "schema": {"type": "object"}}, StructureKind.JSON_SCHEMA, b'{"type":"object"}'),
        ({"type": "json_schema", "schema": {"type": "object"}}, StructureKind.JSON_SCHEMA, b'{"type":"object"}'),
        ({"type": "json_schema", "json_schema": {"type": "object"}}, StructureKind.JSON_SCHEMA, b'{"type":"object"}'),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": {"type": "object"}}},
            StructureKind.JSON_SCHEMA,
            b'{"type":"object"}',
        ),
        ({"type": "json_schema", "json_schema": '{"type":"object"}'}, StructureKind.JSON_SCHEMA, b'{"type":"object"}'),
    ],
)
def test_schemas_bare_wrapped_or_quoted(
    asked_format: dict[str, Any], kind: StructureKind, schema: bytes | None
) -> None:
    """A schema may be bare, in OpenAI's wrapper, beside the type, or in a string: it is the same schema."""
    structure = generation(response_format=asked_format).structure
    assert structure is not None
    assert structure.kind is kind
    assert (None if structure.schema is None else bytes(structure.schema)) == schema


def test_a_grammar_is_handed_on() -> None:
    """``response_format`` of type grammar carries a GBNF grammar."""
    structure = generation(response_format={"type": "grammar", "grammar": 'root ::= "x"'}).structure
    assert structure is not None
    assert (structure.kind, structure.grammar) == (StructureKind.GRAMMAR, 'root ::= "x"')


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("any", "required"),
        ("required", "required"),
        ({"type": "function", "name": "get_weather"}, {"type": "function", "function": {"name": "get_weather"}}),
        (
            {"type": "function", "function": {"name": "get_weather"}},
            {"type": "function", "function": {"name": "get_weather"}},
        ),
    ],
)
def test_tool_choice_in_openais_form(choice: object, expected: object) -> None:
    """``any`` is ``required``; a named tool may be named in two places; engines get one form."""
    asked = generation(tools=TOOLS, tool_choice=choice, parallel_tool_calls=False)
    assert msgspec.json.decode(asked.tool_choice or b"") == expected
    assert msgspec.json.decode(asked.tools or b"") == [{"function": WEATHER, "type": "function"}]
    assert asked.parallel_tool_calls is False


def test_functions_are_tools() -> None:
    """The older spelling asks the engine for the same tools, one call at a time."""
    asked = generation(functions=[WEATHER], function_call={"name": "get_weather"})
    assert asked.tools == generation(tools=TOOLS).tools
    assert msgspec.json.decode(asked.tool_choice or b"") == {"type": "function", "function": {"name": "get_weather"}}
    assert asked.parallel_tool_calls is False


def test_older_function_messages_become_tool_messages() -> None:
    """Calls without ids get them by their place, so that a growing conversation keeps its bytes."""
    call = {"role": "assistant", "content": None, "function_call": {"name": "get_weather", "arguments": "{}"}}
    answer = {"role": "function", "name": "get_weather", "content": "4"}
    written = messages_of(generation(messages=[*HI, call, answer, call, answer]))[1:]
    assert [written[0]["tool_calls"][0]["id"], written[1]["tool_call_id"]] == ["call_1", "call_1"]
    assert [written[2]["tool_calls"][0]["id"], written[3]["tool_call_id"]] == ["call_2", "call_2"]
    assert refusal(messages=[answer]).param == "messages[0].role"


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([], "messages"),
        ("hi", "messages"),
        ([{"role": "robot", "content": "x"}], "messages[0].role"),
        ([{"content": "x"}], "messages[0].role"),
        ([{"role": "user"}], "messages[0].content"),
        ([{"role": "user", "content": None}], "messages[0].content"),
        ([{"role": "user", "content": 5}], "messages[0].content"),
        ([{"role": "user", "content": []}], "messages[0].content"),
        ([{"role": "user", "content": ["x"]}], "messages[0].content[0]"),
        (
            [{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "x"}}]}],
            "messages[0].content[0].type",
        ),
        ([{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}], "messages[0].content[0].type"),
        ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0].text"),
        ([{"role": "user", "content": "x", "cache_control": {}}], "messages[0].cache_control"),
        ([{"role": "user", "content": "x", "tool_calls": [CALL]}], "messages[0].role"),
        ([{"role": "user", "content": "x", "tool_call_id": "c"}], "messages[0].tool_call_id"),
        ([{"role": "assistant"}], "messages[0].content"),
        ([{"role": "assistant", "tool_calls": [{**CALL, "id": None}]}], "messages[0].tool_calls"),
        ([{"role": "assistant", "tool_calls": [{**CALL, "type": "custom"}]}], "messages[0].tool_calls[0].type"),
        ([{"role": "assistant", "content": "x", "audio": {"id": "a"}}], "messages[0].audio"),
        ([{"role": "tool", "content": "x"}], "messages[0].tool_call_id"),
        ([*HI, {"role": "tool", "content": None, "tool_call_id": "c"}], "messages[1].content"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PIXEL}}] * 31}], "messages"),
    ],
)
def test_messages_that_their_role_does_not_allow(messages: object, param: str) -> None:
    """A misshapen conversation is a 400 that names the message and the field."""
    assert refusal(messages=messages).param == param


@pytest.mark.parametrize("url", ["file:///etc/passwd", "/etc/passwd", "ftp://host/x", "data:text/html,x", ""])
def test_images_cannot_name_files(url: str) -> None:
    """An engine that fetches images is never handed a path of its own machine."""
    part = {"type": "image_url", "image_url": {"url": url}}
    assert refusal(messages=[{"role": "user", "content": [part]}]).param == "messages[0].content"


def test_images_are_noticed() -> None:
    """A conversation that shows an image says so, since only some models can see."""
    parts = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    asked = generation(messages=[{"role": "user", "content": parts}])
    assert asked.has_images
    assert messages_of(asked) == [{"role": "user", "content": parts}]
    assert not generation().has_images


def test_an_answer_can_be_sent_back_as_it_came() -> None:
    """Clients put our messages into the next request with all their nulls; the engine sees none of those."""
    answer = {
        "role": "assistant", "content": None, "refusal": None, "annotations": [], "audio": None, "function_call": None,
        "tool_calls": [{**CALL, "index": 0}], "reasoning_content": "hm",
    }  # fmt: skip
    result = {"role": "tool", "tool_call_id": "c1", "content": "4"}
    developer = {"role": "developer", "content": "be brief"}
    assert messages_of(generation(messages=[developer, *HI, answer, result])) == [
        {"role": "system", "content": "be brief"},
        *HI,
        {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [CALL]},
        result,
    ]


def test_texts_are_not_rewritten() -> None:
    """A text's bytes reach the engine as the client wrote them, escapes and all."""
    body = rb'{"model":"m","messages":[ {"content" : "\u00e9\/ \ud83d\ude00", "role":"user"} ]}'
    work = parse_chat(body, {}, REQUEST_ID).request.work[0]
    assert isinstance(work, Generation)
    assert bytes(work.messages or b"") == rb'[{"role":"user","content":"\u00e9\/ \ud83d\ude00"}]'


@given(
    st.lists(st.tuples(st.sampled_from(["system", "developer", "user", "assistant"]), st.text()), min_size=2),
    st.data(),
)
def test_a_growing_conversation_keeps_its_bytes(talk: list[tuple[str, str]], data: st.DataObject) -> None:
    """What a turn adds comes after the bytes that were there, so that replicas' caches are found by prefix."""
    messages = [{"role": role, "content": content} for role, content in talk]
    turns = data.draw(st.integers(1, len(talk) - 1))
    shorter, longer = (bytes(generation(messages=part).messages or b"") for part in (messages[:turns], messages))
    assert longer.startswith(shorter[:-1] + b",")


@pytest.mark.parametrize(
    ("fields", "effort", "options"),
    [
        ({"reasoning_effort": "none"}, "none", {"enable_thinking": False}),
        ({"reasoning_effort": False}, "none", {"enable_thinking": False}),
        ({"reasoning_effort": True}, "medium", {"enable_thinking": True}),
        ({"reasoning_effort": "high"}, "high", {"enable_thinking": True}),
        ({"reasoning_effort": "minimal"}, "low", {"enable_thinking": True}),
        ({"reasoning_effort": 1}, "low", {"enable_thinking": True}),
        ({"reasoning_effort": 5000}, "medium", {"enable_thinking": True}),
        ({"thinking": {"type": "enabled"}}, "medium", {"enable_thinking": True}),
        ({"thinking": {"type": "enabled", "budget_tokens": 10000}}, "high", {"enable_thinking": True}),
        ({"thinking": {"type": "disabled"}}, "none", {"enable_thinking": False}),
        ({"thinking": {"type": "adaptive"}}, None, None),
        ({"chat_template_kwargs": {"enable_thinking": False}}, None, {"enable_thinking": False}),
        ({"chat_template_kwargs": {"thinking": True}}, None, {"thinking": True}),
        ({"chat_template_kwargs": {}}, None, None),
        ({"chat_template_kwargs": {"enable_thinking": None}}, None, None),
        ({"chat_template_kwargs": None}, None, None),
        (
            {"chat_template_kwargs": {"enable_thinking": True, "clear_thinking": False}, "reasoning_effort": "low"},
            "low",
            {"enable_thinking": True, "clear_thinking": False},
        ),
        (
            {"chat_template_kwargs": {"preserve_thinking": True}, "thinking": {"type": "disabled"}},
            "none",
            {"enable_thinking": False, "preserve_thinking": True},
        ),
    ],
)
def test_reasoning_by_level_or_budget(fields: dict[str, Any], effort: str | None, options: object) -> None:
    """All spellings come to a level and switches of the chat template."""
    asked = generation(**fields)
    assert asked.reasoning_effort == effort
    assert (asked.template_options and msgspec.json.decode(asked.template_options)) == options


@pytest.mark.parametrize("effort", ["none", "low"])
@pytest.mark.parametrize("options", [None, {}])
def test_an_effort_suits_engines_without_template_options(effort: str, options: object) -> None:
    """The switch that comes with it is no feature of its own."""
    asked = generation(reasoning_effort=effort, chat_template_kwargs=options)
    check_honoured(asked, honoured_by(EngineFamily.OPENAI))


@pytest.mark.parametrize(
    ("history", "kept"),
    [(None, ["a", "b", "c"]), ("preserved", ["a", "b", "c"]), ("interleaved", ["c"]), ("disabled", [])],
)
def test_reasoning_history(history: str | None, kept: list[str]) -> None:
    """Past reasoning stays, goes, or stays only after the last user message, as asked."""
    turns = [{"role": "assistant", "content": "x", "reasoning_content": reasoning} for reasoning in "abc"]
    asked = generation(messages=[*HI, turns[0], turns[1], *HI, turns[2]], reasoning_history=history)
    assert [m["reasoning_content"] for m in messages_of(asked) if "reasoning_content" in m] == kept


@pytest.mark.parametrize(
    ("headers", "fields", "session"),
    [
        ({}, {}, None),
        ({}, {"user": "u"}, "u"),
        ({}, {"user": "u", "prompt_cache_key": "k"}, "k"),
        ({"x-session-affinity": "h"}, {"user": "u", "prompt_cache_key": "k"}, "h"),
        ({"x-session-affinity": "h", "x-multi-turn-session-id": "t"}, {}, "t"),
    ],
)
def test_sessions(headers: dict[str, str], fields: dict[str, Any], session: str | None) -> None:
    """The header comes before the cache key, that before the user."""
    assert request(headers, **fields).session == session


def test_isolation_labels_and_tier() -> None:
    """Header or body separate the cache; known labels are kept in one order; only ``priority`` is a tier of its own."""
    headers = {
        "x-prompt-cache-isolation-key": "tenant",
        "fireworks-annotations": "project=p, team=t ,colour=red,environment=",
    }
    asked = request(headers, service_tier="priority", context_length_exceeded_behavior="error")
    assert asked.isolation_key == "tenant"
    assert asked.cost_labels == (("team", "t"), ("project", "p"))
    assert asked.priority
    assert not asked.truncate_to_context
    assert request(prompt_cache_isolation_key="b").isolation_key == "b"
    assert refusal(user="u" * 1_025).param == "prompt_cache_key"
    with pytest.raises(InvalidRequest):
        request({"fireworks-annotations": "team=" + "t" * 129})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}',
        b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}',
        b'{"model":"m","messages":[{"role":"user","content":"\\x"}]}',
        b'{"model":"m","messages":' + b"[" * 100_000,
        b'{"model":"m","messages":[{"role":"user","content":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}",
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":1e999}',
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":NaN}',
        b'{"model":"m","messages":[{"role":"user","content":"x"}]} x',
        b"\xef\xbb\xbf{}",
    ],
)
def test_a_body_that_is_no_request(body: bytes) -> None:
    """Broken JSON, broken text and nesting bombs are a 400 with a sentence."""
    assert refusal_of(body).message


def test_no_depth_of_nesting_escapes() -> None:
    """Also just below the depth at which the body's own reading gives up, its parts are read or refused."""
    for depth in range(1, sys.getrecursionlimit() + 50):
        nested = b"[" * depth + b"]" * depth
        for field in (
            b'"messages":[{"role":"user","content":%b}]',
            b'"tools":[{"function":{"name":"f","parameters":%b}}]',
        ):
            with pytest.raises(InvalidRequest):
                parse_chat(b'{"model":"m",' + field % nested + b"}", {}, REQUEST_ID)
        schema = b'{"a":' * depth + b"1" + b"}" * depth
        with suppress(InvalidRequest):
            body = b'{"model":"m","messages":[{"role":"user","content":"x"}],"response_format":%b}'
            parse_chat(body % (b'{"type":"json_schema","json_schema":%b}' % schema), {}, REQUEST_ID)


def test_where_json_breaks_is_told() -> None:
    """The position of a fault is in the message."""
    assert "byte 13" in refusal_of(b'{"model":"m",}').message
    assert "byte 10" in refusal_of(b'{"model":"\xff"}').message


def test_unknown_fields_are_named_as_openai_names_them() -> None:
    """Clients match on this sentence."""
    assert refusal(colour=1).message == "Unrecognized request argument supplied: colour"


@given(
    st.lists(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["system", "user", "assistant"]), "content": st.text()},
            optional={"name": st.text()},
        ),
        min_size=1,
    )
)
def test_messages_of_text_are_written_in_one_way(messages: list[dict[str, str]]) -> None:
    """Whatever they say: role, content and name in this order, without spaces."""
    body = json.dumps({"messages": messages, "model": "m"}, ensure_ascii=False, indent=1).encode()
    (work,) = parse_chat(body, {}, REQUEST_ID).request.work
    assert isinstance(work, Generation)
    assert messages_of(work) == messages
    assert len(work.messages or b"") == len(json.dumps(messages, ensure_ascii=False, separators=(",", ":")).encode())


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_of_tools_that_are_allowed_the_model_is_told(mode: str) -> None:
    """And of no others."""
    clock = {"type": "function", "function": {**TOOLS[0]["function"], "name": "get_time"}}
    asked = generation(tools=[*TOOLS, clock], tool_choice=allowed(mode, "get_time"))
    only = generation(tools=[clock], tool_choice=mode)
    assert (asked.tools, asked.tool_choice) == (only.tools, only.tool_choice)
