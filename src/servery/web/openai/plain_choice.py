"""Choices of a chat answer that say nothing but a text: what values of theirs would be encoded to, written out, which
is several times faster."""

from typing import Final

import msgspec

from servery.core.digits import digits

encode: Final = msgspec.json.Encoder().encode


def plain_message(branch: int, content: bytes, reason: str) -> bytes:
    """A ``MessageChoice`` without calls, thoughts and log probabilities; ``content`` as JSON."""
    return (
        b'{"index":%b,"message":{"role":"assistant","content":%b,"refusal":null},"finish_reason":"%b","logprobs":null}'
        % (digits(branch), content, reason.encode())
    )


def plain_delta(branch: int, content: str | None, reason: str | None, *, begins: bool) -> bytes:
    """The same of a ``ChunkChoice``; the one that ``begins`` a stream tells the role."""
    told = b"" if content is None else b'"content":%b' % encode(content)
    if begins:
        told = b'"role":"assistant",%b' % (told or b'"content":""')
    ended = b"null" if reason is None else b'"%b"' % reason.encode()
    return b'{"index":%b,"delta":{%b},"finish_reason":%b}' % (digits(branch), told, ended)
