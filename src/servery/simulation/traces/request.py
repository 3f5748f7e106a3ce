"""One request of a trace."""

from collections.abc import Iterator
from typing import Protocol

import msgspec

from servery.core.serving_path import ServingPath


class Request(msgspec.Struct, frozen=True, gc=False):
    """``blocks`` are ids of the prompt's blocks from its start, each id standing for all that precedes it too: two
    prompts share a prefix as far as their ids agree. The last block may be a part of one.

    ``session`` names who would send the same session header; None where the trace knows no sessions.
    """

    arrives_s: float
    prompt_tokens: int
    generated_tokens: int
    blocks: tuple[int, ...]
    account: str = "account-0"
    path: ServingPath = ServingPath.STANDARD
    session: str | None = None


class Trace(Protocol):
    """Requests in the order of their arrival. Every call begins anew, with the same requests."""

    @property
    def block_tokens(self) -> int:
        """How many tokens a block has."""
        ...

    def requests(self) -> Iterator[Request]:
        """Raises Misconfigured, naming file and line, where a recorded trace cannot be understood."""
        ...


def block_count(prompt_tokens: int, block_tokens: int) -> int:
    """How many blocks a prompt has, the broken one at its end included."""
    return -(-prompt_tokens // block_tokens)
