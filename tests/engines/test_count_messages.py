"""Counting a conversation: how each family of engine is asked."""

import json

import msgspec
import pytest
from tests.engines.conftest import NewClient
from tests.fakes.engine_scripts import refuses
from tests.fakes.fake_engine import FakeEngine, FakeExchange, Script

from servery.core.anthropic_form import AnthropicForm
from servery.core.engine_family import EngineFamily
from servery.core.errors import EngineUnavailable
from servery.core.inference import Generation
from servery.core.value import changed

FORM = AnthropicForm(messages=msgspec.Raw(b'[{"role":"user","content":"hi"}]'), system=msgspec.Raw(b'"Be terse."'))
WORK = Generation(
    messages=b'[{"role":"system","content":"Be terse."},{"role":"user","content":"hi"}]',
    template_options=msgspec.Raw(b'{"enable_thinking":false}'),
    anthropic=FORM,
    max_tokens=5,
)
OPENAIS = changed(WORK, anthropic=None)


def tells(said: dict[str, object]) -> Script:
    async def script(exchange: FakeExchange) -> None:
        exchange.whole(200, json.dumps(said).encode())

    return script


@pytest.mark.parametrize("family", [EngineFamily.VLLM, EngineFamily.SGLANG])
async def test_anthropics_form_is_counted_as_it_is(
    engine: FakeEngine, new_client: NewClient, family: EngineFamily
) -> None:
    """With what the template is to be told, and nothing that only an answer needs."""
    engine.always = tells({"input_tokens": 9})
    assert await new_client(family).count_messages(WORK, timeout_s=60.0) == 9
    (asked,) = engine.asked
    assert asked.path == "/v1/messages/count_tokens"
    assert asked.json == {
        "model": "fake",
        "messages": [{"role": "user", "content": "hi"}],
        "system": "Be terse.",
        "chat_template_kwargs": {"enable_thinking": False},
    }


async def test_llama_cpp_counts_what_it_would_be_sent(engine: FakeEngine, new_client: NewClient) -> None:
    """In OpenAI's form, since that is how it is asked for answers."""
    engine.always = tells({"input_tokens": 9})
    assert await new_client().count_messages(WORK, timeout_s=60.0) == 9
    (asked,) = engine.asked
    assert asked.path == "/v1/chat/completions/input_tokens"
    assert [message["role"] for message in asked.json["messages"]] == ["system", "user"]


@pytest.mark.parametrize(
    ("family", "work", "asked"),
    [
        (EngineFamily.SGLANG, OPENAIS, 0),
        (EngineFamily.SGLANG, WORK, 1),
        (EngineFamily.OPENAI, WORK, 0),
    ],
)
async def test_who_cannot_count_says_so(
    engine: FakeEngine, new_client: NewClient, family: EngineFamily, work: Generation, asked: int
) -> None:
    """SGLang only knows Anthropic's form, and of old not that; another provider need not know any."""
    engine.always = refuses(404)
    assert await new_client(family).count_messages(work, timeout_s=60.0) is None
    assert len(engine.asked) == asked


@pytest.mark.parametrize("told", [{}, {"input_tokens": "many"}, {"input_tokens": -1}])
async def test_nonsense_is_no_count(engine: FakeEngine, new_client: NewClient, told: dict[str, object]) -> None:
    """It is an engine at fault."""
    engine.always = tells(told)
    with pytest.raises(EngineUnavailable):
        await new_client().count_messages(WORK, timeout_s=60.0)
