"""Bodies that a client has compressed."""

import zlib

from servery.core.errors import InvalidRequest, PayloadTooLarge

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


def decoded_body(body: bytes, encoding: str, *, most_bytes: int) -> bytes:
    """The body as it was before ``Content-Encoding`` (``gzip``, ``deflate``, or none).

    Raises PayloadTooLarge when it grows past ``most_bytes``, before more than that is in memory, and InvalidRequest for
    another encoding or for a body that is not what its encoding says.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip" | "deflate":
            return _inflated(body, most_bytes)
        case other:
            raise InvalidRequest(f"content-encoding {other!r} is not understood; gzip and deflate are")


def _inflated(body: bytes, most_bytes: int) -> bytes:
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        plain = inflater.decompress(body, most_bytes + 1)
    except zlib.error as error:
        raise InvalidRequest(f"the request's body cannot be decompressed: {error}") from None
    if len(plain) > most_bytes:
        raise PayloadTooLarge(f"the request's body is larger than {most_bytes} bytes")
    if not inflater.eof or inflater.unused_data:
        raise InvalidRequest("the request's body is not whole, or goes on after its compressed end")
    return plain
