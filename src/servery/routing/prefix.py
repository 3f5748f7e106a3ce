"""A prompt as a chain of hashed blocks: two prompts share a prefix as long as their chains agree.

Blocks grow with their distance from the start, by an eighth of it, so that a short prompt is seen finely and a long one
costs few hashes: 32 bytes each up to 256, then 288, 324, 364 … A shared prefix is known to within an eighth.
"""

from bisect import bisect_right
from itertools import pairwise

_LEAST_BLOCK_BYTES = 32
_LONGEST_PROMPT_BYTES = 1 << 30

PrefixChain = tuple[int, ...]


def _block_ends() -> tuple[int, ...]:
    ends = [0]
    while ends[-1] < _LONGEST_PROMPT_BYTES:
        ends.append(ends[-1] + max(_LEAST_BLOCK_BYTES, ends[-1] // 8))
    return tuple(ends)


_ENDS = _block_ends()
_SPANS = tuple(pairwise(_ENDS))


def prefix_chain(owner: str, prompt: bytes) -> PrefixChain:
    """Hashes of the prompt's whole blocks, each over all that precedes it and over ``owner``.

    ``owner`` names who may share a cache (account and isolation key), so that chains of different owners never
    agree. Hashes are good within one process only.
    """
    chain: list[int] = []
    link = hash(owner)
    for start, end in _SPANS[: bisect_right(_ENDS, len(prompt)) - 1]:
        link = hash((link, prompt[start:end]))
        chain.append(link)
    return tuple(chain)


def prefix_bytes(blocks: int) -> int:
    """How much of a prompt the first ``blocks`` blocks cover."""
    return _ENDS[blocks]


def shared_bytes(one: PrefixChain, other: PrefixChain) -> int:
    """The prefix that two chains have in common. Because each link covers all before it, agreement is a prefix of the
    chains, and its end is found by halving."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[middle - 1] == other[middle - 1]:
            low = middle
        else:
            high = middle - 1
    return _ENDS[low]
