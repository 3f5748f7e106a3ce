"""Choices that are written out, against their values encoded."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from servery.web.openai.answers import ChunkChoice, Delta, Message, MessageChoice
from servery.web.openai.plain_choice import encode, plain_delta, plain_message
from servery.web.openai.read_answer import FINISH_REASONS

BRANCHES = st.integers(0, 200)
CONTENTS = st.none() | st.text()
REASONS = st.sampled_from(sorted(FINISH_REASONS))


@given(BRANCHES, CONTENTS, REASONS)
def test_a_message_of_text(branch: int, content: str | None, reason: str) -> None:
    """Byte for byte what its values are encoded to, whatever the text."""
    choice = MessageChoice(branch, Message(content=content), reason, None)
    assert plain_message(branch, encode(content), reason) == msgspec.json.encode(choice)


@given(BRANCHES, CONTENTS, st.none() | REASONS)
def test_a_delta_of_text(branch: int, content: str | None, reason: str | None) -> None:
    """The same of a stream's: the one that begins it tells the role, and has a text, be it empty."""
    later = Delta(content=UNSET if content is None else content)
    first = Delta(role="assistant", content=content or "")
    for delta, begins in ((later, False), (first, True)):
        choice = ChunkChoice(branch, delta, reason)
        assert plain_delta(branch, content, reason, begins=begins) == msgspec.json.encode(choice)
