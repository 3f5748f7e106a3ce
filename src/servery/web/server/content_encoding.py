"""Bodies that a client has compressed.

A few bytes may stand for a thousand times as many, so what grows large is decompressed beside the event loop, a few at
a time: nobody else's stream waits for it.
"""

import asyncio
import zlib
from typing import Final

from servery.core.errors import InvalidRequest, PayloadTooLarge

_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32
_GZIP: Final = zlib.MAX_WBITS | 16
_GZIP_BEGINS: Final = b"\x1f\x8b"
_MEMBERS: Final = 1_000
"""Of one body; an empty one takes twenty bytes, and makes none."""

_AT_ONCE_BYTES: Final = 256 * 1024
_AT_ONCE_STEPS: Final = 8
_STEP_BYTES: Final = 64 * 1024
"""So much is looked at together: what follows a member is copied."""

_BESIDE: Final = 2
_UNWHOLE: Final = "the request's body is not whole, or goes on after its compressed end"


class BodyDecoder:
    """For bodies of at most ``most_bytes`` once they are decompressed."""

    def __init__(self, *, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._turns = asyncio.Semaphore(_BESIDE)

    async def decoded(self, body: bytes, encoding: str) -> bytes:
        """The body as it was before ``Content-Encoding`` (``gzip``, ``deflate``, or none).

        Raises PayloadTooLarge when it grows past the limit, before more than that is in memory, and InvalidRequest for
        another encoding or for a body that is not what its encoding says.
        """
        match encoding.strip().lower():
            case "" | "identity":
                return body
            case "gzip" | "x-gzip" | "deflate":
                return await self._inflated(body)
            case other:
                raise InvalidRequest(f"content-encoding {other!r} is not understood; gzip and deflate are")

    async def _inflated(self, body: bytes) -> bytes:
        inflation = _Inflation(body, most_bytes=self._most_bytes)
        try:
            for _ in range(_AT_ONCE_STEPS):
                inflation.step(until_bytes=_AT_ONCE_BYTES)
            if not inflation.is_over:
                async with self._turns:
                    await asyncio.to_thread(inflation.finish)
        except zlib.error as error:
            raise InvalidRequest(f"the request's body cannot be decompressed: {error}") from None
        if len(inflation.plain) > self._most_bytes:
            raise PayloadTooLarge(f"the request's body is larger than {self._most_bytes} bytes")
        return bytes(inflation.plain)


class _Inflation:
    """A body on its way from compressed to plain. gzip's may be several members, one after another (RFC 1952, 2.2).

    It ``is_over`` when all is plain, or one byte more than ``most_bytes`` is.
    """

    __slots__ = ("_at", "_body", "_inflater", "_is_gzip", "_members", "_most_bytes", "is_over", "plain")

    def __init__(self, body: bytes, *, most_bytes: int) -> None:
        self.plain = bytearray()
        self.is_over = False
        self._body = body
        self._at = 0
        self._most_bytes = most_bytes
        self._members = 1
        self._is_gzip = body.startswith(_GZIP_BEGINS)
        self._inflater = zlib.decompressobj(_GZIP_OR_ZLIB)

    def finish(self) -> None:
        """Raises what ``step`` raises."""
        while not self.is_over:
            self.step(until_bytes=self._most_bytes + 1)

    def step(self, *, until_bytes: int) -> None:
        """Make a piece of it plain, of which there are ``until_bytes`` at most after that. Raises zlib.error, and
        InvalidRequest for a body that is cut or has something else after its end."""
        room = min(until_bytes, self._most_bytes + 1) - len(self.plain)
        if self.is_over or room <= 0:
            return
        inflater, piece = self._inflater, self._body[self._at : self._at + _STEP_BYTES]
        self.plain += inflater.decompress(piece, room)
        self._at += len(piece) - len(inflater.unused_data if inflater.eof else inflater.unconsumed_tail)
        is_end = self._at == len(self._body)
        if inflater.eof and not is_end:
            self._next_member()
        elif is_end and not inflater.eof:
            raise InvalidRequest(_UNWHOLE)
        self.is_over = is_end or len(self.plain) > self._most_bytes

    def _next_member(self) -> None:
        self._members += 1
        if not self._is_gzip or not self._body.startswith(_GZIP_BEGINS, self._at) or self._members > _MEMBERS:
            raise InvalidRequest(_UNWHOLE)
        self._inflater = zlib.decompressobj(_GZIP)
