"""Choices of a chat answer that say nothing but a text: what values of theirs would be encoded to, written out, which
is several times faster."""

from typing import Final

import msgspec

encode: Final = msgspec.json.Encoder().encode


def plain_message(branch: int, content: str | None, reason: str) -> bytes:
    """A ``MessageChoice`` without calls, thoughts and log probabilities."""
    return (
        b'{"index":%d,"message":{"role":"assistant","content":%b,"refusal":null},"finish_reason":"%b","logprobs":null}'
        % (branch, encode(content), reason.encode())
    )


def plain_delta(branch: int, content: str | None, reason: str | None, *, begins: bool) -> bytes:
    """The same of a ``ChunkChoice``; the one that ``begins`` a stream tells the role."""
    told = b"" if content is None else b'"content":%b' % encode(content)
    if begins:
        told = b'"role":"assistant",%b' % (told or b'"content":""')
    ended = b"null" if reason is None else b'"%b"' % reason.encode()
    return b'{"index":%d,"delta":{%b},"finish_reason":%b}' % (branch, told, ended)
