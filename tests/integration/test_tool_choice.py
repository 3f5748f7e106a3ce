"""What a choice of tools comes to with a real llama.cpp, where the model would rather do something else."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.integration.platform_process import MODEL, PlatformProcess

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER: Any = {"name": "get_weather", "description": "Get the weather in a city", "parameters": PARAMETERS}
CLOCK: Any = {**WEATHER, "name": "get_time", "description": "Get the time in a city"}
STORY: Any = [{"role": "user", "content": "Tell me a story"}]
OSLO: Any = [{"role": "user", "content": "What is the weather in Oslo?"}]
CALLED_BEFORE: Any = [
    *OSLO,
    {
        "role": "assistant",
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "7 degrees"},
    *STORY,
]
NAMED: Any = {"type": "function", "function": {"name": "get_time"}}


@pytest.fixture(scope="module")
def sdk(platform: PlatformProcess) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{platform.base_url}/v1", api_key=platform.key, max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def anthropics(platform: PlatformProcess) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=platform.base_url, api_key=platform.key, max_retries=0) as made:
        yield made


def asked(messages: Any, choice: Any, **more: Any) -> Any:
    tools = [{"type": "function", "function": function} for function in (WEATHER, CLOCK)]
    fields = {"model": MODEL, "messages": messages, "tools": tools, "tool_choice": choice, "temperature": 0}
    return {**fields, "max_tokens": 60, **more}


@pytest.mark.parametrize("more", [{}, {"response_format": {"type": "json_object"}}])
@pytest.mark.parametrize("messages", [STORY, CALLED_BEFORE])
@pytest.mark.parametrize(("choice", "names"), [("required", {"get_weather", "get_time"}), (NAMED, {"get_time"})])
def test_a_call_that_is_required_is_made(
    sdk: openai.OpenAI, messages: Any, choice: Any, names: set[str], more: Any
) -> None:
    """Streamed or whole, by a model that would tell a story, whatever form its text should have had: a call whose
    arguments fit, and no word besides."""
    answer = sdk.chat.completions.create(**asked(messages, choice, **more)).choices[0]
    with sdk.chat.completions.stream(**asked(messages, choice, **more)) as stream:
        streamed = stream.get_final_completion().choices[0]
    for choices in (answer, streamed):
        assert choices.finish_reason == "tool_calls"
        assert not choices.message.content
        (call,) = choices.message.tool_calls or []
        assert call.type == "function"
        assert call.function.name in names
        assert set(json.loads(call.function.arguments)) == {"city"}


def test_a_call_that_is_cut_short_is_no_story(sdk: openai.OpenAI) -> None:
    """The tokens that there are go into the call."""
    answer = sdk.chat.completions.create(**asked(STORY, "required", max_tokens=12)).choices[0]
    assert (answer.finish_reason, answer.message.content or "") == ("length", "")
    assert answer.message.tool_calls


@pytest.mark.parametrize("messages", [OSLO, CALLED_BEFORE])
def test_a_call_that_is_forbidden_is_not_made(sdk: openai.OpenAI, messages: Any) -> None:
    """Nor written into the text, by a model that has been trained to call."""
    answer = sdk.chat.completions.create(**asked(messages, "none")).choices[0]
    assert answer.message.tool_calls is None
    assert answer.message.content
    assert "tool_call" not in answer.message.content


@pytest.mark.parametrize(
    ("choice", "names"),
    [({"type": "any"}, {"get_weather", "get_time"}), ({"type": "tool", "name": "get_time"}, {"get_time"})],
)
def test_any_tool_and_one_tool(anthropics: anthropic.Anthropic, choice: Any, names: set[str]) -> None:
    """The same in Anthropic's words."""
    tools: Any = [
        {"name": each["name"], "description": each["description"], "input_schema": PARAMETERS}
        for each in (WEATHER, CLOCK)
    ]
    fields: Any = {"model": MODEL, "max_tokens": 60, "messages": STORY, "tools": tools, "tool_choice": choice}
    answer = anthropics.messages.create(**fields)
    with anthropics.messages.stream(**fields) as stream:
        streamed = stream.get_final_message()
    for message in (answer, streamed):
        (use,) = message.content
        assert use.type == "tool_use"
        assert use.name in names
        assert set(use.input) == {"city"}
        assert message.stop_reason == "tool_use"
    forbidden = anthropics.messages.create(**{**fields, "messages": OSLO, "tool_choice": {"type": "none"}})
    assert [block.type for block in forbidden.content] == ["text"]
