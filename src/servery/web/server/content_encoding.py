"""Bodies that a client has compressed.

A few bytes may stand for a thousand times as many, so what grows large is decompressed beside the event loop, a few at
a time: nobody else's stream waits for it.
"""

import asyncio
import zlib
from typing import Final

from servery.core.errors import InvalidRequest, PayloadTooLarge

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


_AT_ONCE_BYTES: Final = 256 * 1024
_BESIDE: Final = 2


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
        inflater, too_many = zlib.decompressobj(_GZIP_OR_ZLIB), self._most_bytes + 1
        try:
            plain = inflater.decompress(body, min(_AT_ONCE_BYTES, too_many))
            if inflater.unconsumed_tail and len(plain) < too_many:
                async with self._turns:
                    plain += await asyncio.to_thread(
                        inflater.decompress, inflater.unconsumed_tail, too_many - len(plain)
                    )
        except zlib.error as error:
            raise InvalidRequest(f"the request's body cannot be decompressed: {error}") from None
        if len(plain) > self._most_bytes:
            raise PayloadTooLarge(f"the request's body is larger than {self._most_bytes} bytes")
        if not inflater.eof or inflater.unused_data:
            raise InvalidRequest("the request's body is not whole, or goes on after its compressed end")
        return plain
