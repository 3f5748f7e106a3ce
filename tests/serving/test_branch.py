"""One engine call of a request."""

import msgspec
import pytest

from servery.core.inference import Embedding, Generation, Work
from servery.serving.journey import Branch

MESSAGES = b'[{"role":"user","content":"{"},{"role":"user","content":"a"}]'
TOOLS = msgspec.Raw(b'[{"type":"function"}]')


@pytest.mark.parametrize(
    ("work", "begins"),
    [
        (Generation(messages=MESSAGES, last_message=31), b'{"role":"user","content":"a"}]'),
        (Generation(messages=MESSAGES, tools=TOOLS, last_message=31), b'{"role":"user","content":"a"}]'),
        (Generation(messages=MESSAGES), None),
        (Generation(prompt='{"role":"'), b'{"role":"'),
        (Embedding(inputs=('{"role":"',)), b'["{\\"role\\":\\""]'),
    ],
)
def test_where_the_last_message_begins_in_the_prompt(work: Work, begins: bytes | None) -> None:
    """After the tools; where nobody has told it is not known; a prompt without messages has none, whatever it says."""
    branch = Branch(0, work, work.prompt_bytes())
    told = branch.last_message
    assert (None if told is None else branch.prompt[told:]) == begins
