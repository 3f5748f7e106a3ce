"""What is counted of a whole answer whose engine does not tell."""

import msgspec
import pytest

from servery.engines.answer_reader import WholeReader
from servery.engines.tally import Tally


@pytest.mark.parametrize(
    ("message", "tokens"),
    [
        ({"content": "twelve bytes"}, 3),
        ({"content": "twelve bytes", "tool_calls": None}, 3),
        ({"content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}, 11),
    ],
)
def test_tokens_are_counted_by_length(message: object, tokens: int) -> None:
    """Of the text and of the calls, four bytes each."""
    tally = Tally(prompt_tokens_guess=1)
    reader = WholeReader(tally=tally, max_body_bytes=1_000)
    reader.feed(msgspec.json.encode({"choices": [{"message": message, "finish_reason": "stop"}]}))
    reader.end()
    assert tally.usage().generated_tokens == tokens
