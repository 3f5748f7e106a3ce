"""A prompt as a chain of links: two prompts share a prefix as far as their links agree.

    prompt   |..... block 0 .....|..... block 1 .....|..... block 2 .....|.. rest ..|
    links                    links[0]            links[1]            links[2]    links[3]
    ends                      ends[0]             ends[1]             ends[2]     ends[3] = length

A link is the hash of its block, the first one's of its owner too: prompts of different owners share nothing. What is
measured is the chain's own unit: bytes for text, tokens for blocks that an engine or a trace has hashed.

Blocks of text grow with their distance from the start, two for each time that it doubles: 32 kB are 12 of them. That is
coarse, but prompts do not part anywhere. They part where a message ends: a conversation goes on from its last turn, and
many questions follow one system prompt. So besides its links a prompt has *marks*, hashes up to the end of a message.
Others may be the same or go on from its end, or from where its last message begins. It may itself go on from others
where its last message begins, or, in a conversation that goes on, where its last answer begins, which is where its last
turn ended.
"""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from xxhash import xxh3_64_digest, xxh3_64_intdigest

from servery.core.acyclic import acyclic

_LEAST_BLOCK_BYTES: Final = 512
_LONGEST_PROMPT_BYTES: Final = 1 << 30
_MESSAGE: Final = b'{"role":"'
_ANSWER: Final = b'{"role":"assistant"'
_LAST_MESSAGE_BYTES: Final = 4_096
"""How far back a message's beginning is looked for: of a longer one, the blocks say enough."""
_FEW_BRACES: Final = 16
_COPIED_BYTES: Final = 4_096
"""Parts that are no longer are copied, which takes less time than to look at them where they are."""


_digest: Final = xxh3_64_digest
_int_digest: Final = xxh3_64_intdigest

LINK_BYTES: Final = 8
_HASH: Final = 0xFFFF_FFFF_FFFF_FFFF

Mark = tuple[int, ...]
"""A hash of all up to an end, that end, and how many whole blocks lie before it. Its length is not part of the type, so
that compiled code hands it on as it is."""


def _block_ends() -> tuple[int, ...]:
    """512, 768, 1024, 1536, 2048, 3072, 4096 and so on: powers of two, and half way between them."""
    ends: list[int] = []
    power = _LEAST_BLOCK_BYTES
    while power < _LONGEST_PROMPT_BYTES:
        ends += [power, power + power // 2]
        power *= 2
    return tuple(ends)


_ENDS: Final = _block_ends()


@acyclic
class Chain:
    """``links`` are ``blocks`` hashes of ``LINK_BYTES`` each, in one piece: what is remembered for long should lie
    close together. ``ends`` may be longer. ``length`` is the whole prompt's, which the last link need not reach.

    Marks, None where there is none: ``whole`` is the prompt's end, ``begun`` where its last message begins, ``went_on``
    where its last answer begins. Never changed.
    """

    __slots__ = ("begun", "blocks", "ends", "length", "links", "went_on", "whole")

    def __init__(
        self,
        links: bytes,
        ends: tuple[int, ...],
        length: int,
        *,
        whole: Mark | None = None,
        begun: Mark | None = None,
        went_on: Mark | None = None,
    ) -> None:
        self.links = links
        self.blocks = len(links) // LINK_BYTES
        self.ends = ends
        self.length = length
        self.whole = whole
        self.begun = begun
        self.went_on = went_on

    def covered(self, blocks: int) -> int:
        """How much of the prompt the first ``blocks`` blocks are."""
        return self.ends[blocks - 1] if blocks else 0

    def cut(self, length: float) -> "Chain | None":
        """So much of its beginning, in whole blocks, or up to the last mark before it; None where there is nothing."""
        blocks = bisect_right(self.ends, length, 0, self.blocks)
        begun, went_on = _within(self.begun, length), _within(self.went_on, length)
        reach = max(self.covered(blocks), *(mark[1] for mark in (begun, went_on) if mark is not None), 0)
        return Chain(self.links[: blocks * LINK_BYTES], self.ends, reach, whole=went_on, begun=begun) if reach else None


def _within(mark: Mark | None, length: float) -> Mark | None:
    return mark if mark is not None and mark[1] <= length else None


def owner_hash(owner: str) -> int:
    """For ``owned_chain``. ``owner`` names who may share a cache (account and isolation key)."""
    hashed: int = _int_digest(owner.encode())
    return hashed


def text_chain(owner: str, prompt: bytes, last_message: int | None = None) -> Chain:
    """The chain of a prompt in its canonical form, in bytes. Chains of different owners never agree. The same in every
    process. ``last_message`` is where the last of the prompt's messages begins; it is looked for where nobody knows."""
    return owned_chain(owner_hash(owner), prompt, last_message)


def owned_chain(owned: int, prompt: bytes, last_message: int | None = None) -> Chain:
    """As ``text_chain``, of the owner who has this ``owner_hash``."""
    length = len(prompt)
    hashes = _block_digests(prompt)
    if hashes:
        hashes[0] = _digest(hashes[0], owned)
    links = b"".join(hashes)
    marks = _marks(prompt, links, owned, _message_ends(prompt, last_message))
    begun = marks[1] if len(marks) > 1 else None
    went_on = marks[2] if len(marks) > 2 else None
    return Chain(links, _ENDS, length, whole=marks[0], begun=begun, went_on=went_on)


def block_chain(hashes: Sequence[int], *, block_tokens: int, length: int) -> Chain:
    """The chain of a prompt of ``length`` tokens whose blocks of ``block_tokens`` have been hashed already; the last
    block may be shorter."""
    ends = [min(length, block_tokens * number) for number in range(1, len(hashes) + 1)]
    return Chain(array("Q", [one & _HASH for one in hashes]).tobytes(), tuple(ends), length)


def agreement(one: Chain, other: Chain) -> int:
    """How many blocks two chains have in common from their start."""
    return agreed(one.links, other.links, 0, min(one.blocks, other.blocks))


def agreed(ours: bytes, theirs: bytes, low: int, high: int) -> int:
    """The same for links that agree on ``low`` blocks and have ``high``; found by halving."""
    while low < high:
        middle = (low + high + 1) // 2
        start, end = low * LINK_BYTES, middle * LINK_BYTES
        if ours[start:end] == theirs[start:end]:
            low = middle
        else:
            high = middle - 1
    return low


def _block_digests(prompt: bytes) -> list[bytes]:
    """The hash of each block."""
    digests: list[bytes] = []
    start, length = 0, len(prompt)
    for end in _ENDS:
        if end > length:
            break
        digests.append(_digest(_part(prompt, start, end)))
        start = end
    return digests


def _part(prompt: bytes, start: int, end: int) -> bytes | memoryview:
    return prompt[start:end] if end - start <= _COPIED_BYTES else memoryview(prompt)[start:end]


def _message_ends(prompt: bytes, last_message: int | None) -> list[int]:
    """Where the prompt ends, where its last message begins, where its last answer begins. The first message begins
    nowhere: nothing lies before it that others could have in common with it."""
    length = len(prompt)
    earliest = length - _LAST_MESSAGE_BYTES if length > _LAST_MESSAGE_BYTES else 0
    # the array goes on when the conversation does
    ends = [length - 1 if prompt.endswith(b"}]") else length]
    message = _last(_MESSAGE, prompt, earliest, length) if last_message is None else last_message
    if message > 1 and message >= earliest:
        ends.append(message - 1)  # without the comma before it
        earliest = message - _LAST_MESSAGE_BYTES if message > _LAST_MESSAGE_BYTES else 0
        answer = _last(_ANSWER, prompt, earliest, message)
        if answer > 0:
            ends.append(answer - 1)
    return ends


def _last(word: bytes, prompt: bytes, start: int, end: int) -> int:
    """Where ``word``, which begins with a brace, stands last between ``start`` and ``end``; negative: nowhere. A single
    byte is found several times faster than a word, and most texts have few braces."""
    at = end
    for _ in range(_FEW_BRACES):
        at = prompt.rfind(b"{", start, at)
        if at < 0 or prompt[at : at + len(word)] == word:
            return at
    return prompt.rfind(word, start, at)


def _marks(prompt: bytes, links: bytes, owned: int, ends: list[int]) -> list[Mark]:
    """At ``ends``, the last first. ``owned`` is the owner's hash, which the first link has in it."""
    marks: list[Mark] = []
    blocks, start, before = len(links) // LINK_BYTES, ends[0] + 1, 0
    for end in ends:
        if end < start:  # so many fewer blocks lie before it
            while blocks and _ENDS[blocks - 1] > end:
                blocks -= 1
            start = _ENDS[blocks - 1] if blocks else 0
            before = owned
            if blocks:
                above = blocks * LINK_BYTES
                before = _int_digest(links if above == len(links) else links[:above])
        marks.append((_int_digest(_part(prompt, start, end), before), end, blocks))
    return marks
