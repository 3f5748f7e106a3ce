"""How a required call is begun for an engine that would let text go before it."""

import json
from typing import Any

import msgspec
import pytest
from tests.engines.conftest import NewClient
from tests.fakes.engine_scripts import answers, refuses
from tests.fakes.fake_engine import FakeEngine, FakeExchange, Script

from servery.core.engine_family import EngineFamily
from servery.core.inference import Generation
from servery.core.serving_path import Endpoint
from servery.engines.call_opening import opening_of, wants_opening

USER = b'{"role":"user","content":"hi"}'
TOOLS = msgspec.Raw(b'[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}]')
REQUIRED = msgspec.Raw(b'"required"')
NAMED = msgspec.Raw(b'{"type":"function","function":{"name":"f"}}')


def asking(*messages: bytes, choice: msgspec.Raw | None = REQUIRED) -> Generation:
    return Generation(messages=b"[%b]" % b",".join(messages or (USER,)), tools=TOOLS, tool_choice=choice)


@pytest.mark.parametrize(
    ("called", "opening"),
    [
        ('<|im_start|>assistant\n<tool_call>\n{"name": "trial", "arguments": {}}\n</tool_call>', "<tool_call>\n"),
        ('<|im_start|>assistant\n{"name": "trial", "parameters": {}}', "{"),
        ('<|im_start|>assistant\n[TOOL_CALLS] [{"name": "trial"', "[TOOL_CALLS] ["),
        ("<|im_start|>assistant\n<tool_call>\n<function=trial>\n</function>", "<tool_call>\n<function="),
    ],
)
def test_an_opening_is_what_comes_before_the_call_itself(called: str, opening: str) -> None:
    """Up to the JSON, or to the name where there is none before it."""
    assert opening_of("<|im_start|>assistant\n", called) == opening


@pytest.mark.parametrize(
    ("said", "called"),
    [
        ("<|im_start|>assistant\n<think>\n", '<|im_start|>assistant\n<tool_call>\n{"name": "trial"}'),
        ("<|im_start|>assistant\n", "<|im_start|>assistant\n<|im_end|>"),
        ("assistant\n", "assistant\ntrial"),
        ("assistant\n", f"assistant\n{'<' * 257}trial"),
    ],
)
def test_where_the_template_does_not_tell_there_is_no_opening(said: str, called: str) -> None:
    """Because it begins the turn otherwise, writes no call, or nothing around it, or too much."""
    assert opening_of(said, called) == ""


@pytest.mark.parametrize(
    ("work", "is_wanted"),
    [
        (asking(), True),
        (asking(choice=NAMED), True),
        (asking(choice=msgspec.Raw(b'"auto"')), False),
        (asking(choice=None), False),
        (asking(USER, b'{"role":"assistant","content":"I "}'), False),
        (asking(b'{"role":"assistant","content":"I "}', USER), True),
        (asking(b'{"role":"user","content":"{\\"role\\":\\"assistant\\"}"}'), True),
        (Generation(prompt="hi"), False),
    ],
)
def test_only_an_answer_that_must_call_is_opened(work: Generation, is_wanted: bool) -> None:
    """And only where the client has not begun it itself."""
    assert wants_opening(work) is is_wanted


def writes(*prompts: str | None) -> Script:
    """llama.cpp's template, which writes these, one after the other; of None it wants to know nothing."""
    left = list(prompts)

    async def script(exchange: FakeExchange) -> None:
        assert exchange.path == "/apply-template"
        written = left.pop(0)
        if written is None:
            exchange.whole(400, b'{"error":{"code":400,"message":"no tools"}}')
        else:
            exchange.whole(200, json.dumps({"prompt": written}).encode())

    return script


async def test_an_engine_is_asked_for_its_opening_once(engine: FakeEngine, new_client: NewClient) -> None:
    """Without tools first, then with one; what it tells is kept, and put behind the messages of a request."""
    client = new_client()
    engine.always = writes("hi ", None, "hi ", 'hi <call>{"name": "trial"}')
    assert await client.opening_for(asking()) == "<call>"
    assert await client.opening_for(asking(choice=NAMED)) == "<call>"
    assert ["tools" in asked.json for asked in engine.asked] == [False, False, True, True]
    engine.always = tells_tokens
    assert await client.count_prompt(asking(), endpoint=Endpoint.CHAT, timeout_s=60.0) == 17
    sent: dict[str, Any] = engine.asked[-1].json
    assert sent["messages"] == [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "<call>"}]
    assert sent["tool_choice"] == "required"


async def tells_tokens(exchange: FakeExchange) -> None:
    exchange.whole(200, b'{"input_tokens": 17}')


async def test_an_engine_that_tells_nothing_is_asked_without_one(engine: FakeEngine, new_client: NewClient) -> None:
    """A template that knows of no tools is believed; an engine in trouble is asked again the next time."""
    client = new_client()
    engine.always = refuses(404)
    assert await client.opening_for(asking()) == ""
    assert len(engine.asked) == 1
    engine.always = refuses(400)
    assert await client.opening_for(asking()) == ""
    assert await client.opening_for(asking()) == ""
    assert len(engine.asked) == 3


@pytest.mark.parametrize("family", [EngineFamily.VLLM, EngineFamily.SGLANG, EngineFamily.OPENAI])
async def test_other_engines_see_to_it_themselves(
    engine: FakeEngine, new_client: NewClient, family: EngineFamily
) -> None:
    """They are asked for no template."""
    engine.always = answers()
    assert await new_client(family).opening_for(asking()) == ""
    assert not engine.asked
