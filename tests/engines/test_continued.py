"""Answers to a conversation whose last message is an assistant's."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engines.asking import Asking
from tests.engines.conftest import NewClient
from tests.fakes.engine_scripts import answers
from tests.fakes.fake_engine import FakeEngine

from servery.core.engine_family import EngineFamily
from servery.core.inference import Generation
from servery.engines.continued import begun_by_client
from servery.web.openai.message_shapes import Message
from servery.web.openai.messages import conversation

TEXTS = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from('"\\{}[]:')), min_size=1)
ASKED = {"role": "user", "content": "Who are you?"}


def sent(*messages: dict[str, Any]) -> bytes:
    """As an engine is told."""
    return conversation(msgspec.json.decode(json.dumps(messages), type=list[Message])).messages


@given(TEXTS, TEXTS)
def test_the_last_message_is_found_whatever_it_says(question: str, begun: str) -> None:
    """Also where a text looks like a message."""
    look_alike = '{"role":"assistant","content":"' + question
    asked = {"role": "user", "content": look_alike}
    assert begun_by_client(sent(asked, {"role": "assistant", "content": begun})) == begun
    assert begun_by_client(sent({"role": "assistant", "content": begun}, asked)) == ""


def test_what_is_more_than_text_is_not_gone_on_from() -> None:
    """Calls of tools, and parts."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"role":"assistant"}'}}
    parts = [{"type": "text", "text": "I am"}]
    for last in ({"content": None, "tool_calls": [call]}, {"content": parts}):
        messages = json.dumps([ASKED, {"role": "assistant", **last}], separators=(",", ":")).encode()
        assert begun_by_client(messages) == ""


@pytest.mark.parametrize(
    ("family", "engine_says", "client_gets"),
    [
        (EngineFamily.LLAMA_CPP, "I am Servery", " Servery"),
        (EngineFamily.LLAMA_CPP, " Servery", " Servery"),
        (EngineFamily.VLLM, "I am Servery", "I am Servery"),
    ],
)
async def test_what_the_client_had_begun_is_no_part_of_the_answer(
    engine: FakeEngine, new_client: NewClient, family: EngineFamily, engine_says: str, client_gets: str
) -> None:
    """llama.cpp repeats it, in whole answers alone."""
    engine.always = answers(engine_says, prompt=12, generated=2)
    work = Generation(messages=sent(ASKED, {"role": "assistant", "content": "I am"}))
    answer = await Asking(new_client(family), stream=False, work=work).begin().answer
    assert answer.read is not None
    assert answer.read.choices is not None
    message = answer.read.choices[0].message
    assert message is not None
    assert message.content == client_gets
