"""A posting as a line of the spool."""

import msgspec

from servery.metering.posting import Posting


class PostingLine(msgspec.Struct, frozen=True, array_like=True):
    """The values of a posting, in its order. What earlier versions did not write has a default, so that a spool which
    they have left can be read."""

    request_id: str
    account: str
    key_id: str
    model: str
    serving_path: str
    price_id: str
    prompt_tokens: int
    cached_prompt_tokens: int
    generated_tokens: int
    reasoning_tokens: int
    estimated: int
    outcome: str
    started_ns: int
    finished_ns: int
    replica: str
    queue_wait_us: int
    time_to_first_token_us: int | None
    cost_labels: str
    charge_nanodollars: int
    asked_path: str | None
    predicted_cached_prompt_tokens: int | None
    hedge: str | None = None


_decoder = msgspec.json.Decoder(PostingLine)


def postings_of_lines(lines: bytes) -> list[Posting]:
    """The postings of some lines. Raises msgspec.DecodeError."""
    found: list[Posting] = [msgspec.structs.astuple(line) for line in _decoder.decode_lines(lines)]
    return found
