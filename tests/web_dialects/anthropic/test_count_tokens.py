"""``POST /messages/count_tokens``, as Anthropic's own client asks it and reads its answer."""

import inspect
import json
from typing import Any

import anthropic
import pytest
from anthropic.types import MessageTokensCount
from tests.web_dialects.parsers import parse_count, parse_messages

from servery.core.errors import EngineUnavailable, InvalidRequest
from servery.core.inference import Generation
from servery.serving.served import Served

REQUEST_ID = "chatcmpl-" + "ab" * 16
HI: Any = [{"role": "user", "content": "Who are you?"}]
TOOL: Any = {"name": "get_weather", "input_schema": {"type": "object"}}
ELSEWHERE = {
    *("self", "extra_headers", "extra_query", "extra_body", "timeout", "user_profile_id", "workspace_id", "betas"),
}


def counted(**fields: object) -> Any:
    """What is to be counted; of two that are alike, the same is sent to an engine."""
    return parse_count(json.dumps({"model": "m", "messages": HI, **fields}).encode(), {}, REQUEST_ID)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"system": [{"type": "text", "text": "Be terse."}, {"type": "text", "text": "Or not."}]},
        {"tools": [TOOL], "tool_choice": {"type": "any"}},
        {"tools": [TOOL], "tool_choice": {"type": "none"}, "cache_control": {"type": "ephemeral"}},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        {"thinking": {"type": "disabled"}},
        {"output_config": {"effort": "low"}},
        {"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}},
    ],
)
def test_what_is_counted_is_what_would_be_asked(fields: dict[str, Any]) -> None:
    """The same messages as a request for an answer are the same prompt."""
    body = json.dumps({"model": "m", "messages": HI, **fields}).encode()
    (count,), (message,) = counted(**fields).request.work, parse_messages(body, {}, REQUEST_ID).request.work
    for name in Generation.FIELDS:
        assert getattr(count, name) == getattr(message, name), name


@pytest.mark.parametrize(
    "count", [anthropic.resources.Messages.count_tokens, anthropic.resources.beta.Messages.count_tokens]
)
def test_the_clients_ordinary_arguments_are_known(count: Any) -> None:
    """No argument of the client is unknown; null, for what a program leaves out, is taken."""
    for name in set(inspect.signature(count).parameters) - ELSEWHERE - {"model", "messages"}:
        counted(**{name: None})


@pytest.mark.parametrize("field", ["max_tokens", "stream", "temperature", "stop_sequences", "metadata", "service_tier"])
def test_what_only_an_answer_needs_is_unknown(field: str) -> None:
    """As it is to Anthropic."""
    with pytest.raises(InvalidRequest, match=field):
        counted(**{field: None})


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": []},
        {"messages": "hi"},
        {"tools": [{"type": "web_search_20250305", "name": "w"}]},
        {"speed": "fast"},
    ],
)
def test_what_would_be_refused_is_refused(fields: dict[str, Any]) -> None:
    """For the same reasons."""
    with pytest.raises(InvalidRequest):
        counted(**fields)


def test_the_count_is_an_object_that_clients_read(served: Served) -> None:
    """Nothing but the number, in which cached tokens count as well; refusals are in Anthropic's envelope."""
    presenter = counted().presenter
    shown = json.loads(presenter.whole([], served))
    assert shown == {"input_tokens": 21}
    MessageTokensCount.model_validate(shown)
    refusal = json.loads(presenter.error(EngineUnavailable("gone")))
    assert (refusal["type"], refusal["error"]["type"], refusal["request_id"]) == ("error", "api_error", REQUEST_ID)
