"""Compressed bodies."""

import asyncio
import gzip
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.core.errors import InvalidRequest, PayloadTooLarge
from servery.web.server.content_encoding import BodyDecoder


@given(st.binary(max_size=2_000), st.sampled_from(["gzip", "x-gzip", "deflate", "identity", ""]))
async def test_what_was_compressed_comes_back(body: bytes, encoding: str) -> None:
    """Every encoding that is understood gives the body back."""
    compress = {"deflate": zlib.compress, "identity": bytes, "": bytes}.get(encoding, gzip.compress)
    assert await BodyDecoder(most_bytes=2_000).decoded(compress(body), encoding) == body


@pytest.mark.parametrize("size", [262_143, 262_144, 262_145, 1_000_000, 1_000_001])
async def test_a_large_body_comes_back_whole(size: int) -> None:
    """Though most of it is decompressed beside the event loop; up to the limit."""
    body = random.Random(1).randbytes(1_000) * 1_001
    decoder = BodyDecoder(most_bytes=1_000_000)
    if size > 1_000_000:
        with pytest.raises(PayloadTooLarge):
            await decoder.decoded(gzip.compress(body[:size]), "gzip")
    else:
        assert await decoder.decoded(gzip.compress(body[:size]), "gzip") == body[:size]


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=8))
async def test_a_body_of_several_members_comes_back_whole(pieces: list[bytes]) -> None:
    """As RFC 1952 has it: their contents follow one another, and an empty one is one too."""
    members = b"".join(gzip.compress(piece) for piece in pieces)
    assert await BodyDecoder(most_bytes=2_400).decoded(members, "gzip") == b"".join(pieces)


@pytest.mark.parametrize("sizes", [(300_000, 300_000), (1, 999_999), (70_000,) * 14, (1_000,) * 1_000, (999_999, 1)])
async def test_large_members_come_back_whole(sizes: tuple[int, ...]) -> None:
    """Wherever one ends: in what is done at once, or beside the event loop; and no byte past the limit."""
    noise = random.Random(1)
    pieces = [noise.randbytes(size) for size in sizes]
    members, whole = b"".join(map(gzip.compress, pieces)), b"".join(pieces)
    assert await BodyDecoder(most_bytes=len(whole)).decoded(members, "gzip") == whole
    with pytest.raises(PayloadTooLarge):
        await BodyDecoder(most_bytes=len(whole) - 1).decoded(members, "gzip")


async def test_a_bomb_in_a_later_member_is_refused() -> None:
    """What all of them grow to counts, and nobody's limit is counted anew."""
    for members in (gzip.compress(b"{}") + gzip.compress(b"0" * 50_000_000), gzip.compress(b"0" * 600) * 2):
        with pytest.raises(PayloadTooLarge):
            await BodyDecoder(most_bytes=1_000).decoded(members, "gzip")


async def test_bombs_do_not_hold_up_the_event_loop() -> None:
    """It turns while they are decompressed, a few at a time, and all are refused."""
    decoder, bomb = BodyDecoder(most_bytes=4_000_000), gzip.compress(b"0" * 8_000_000)
    tasks = [asyncio.create_task(decoder.decoded(bomb, "gzip")) for _ in range(8)]
    turns = 0
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        turns += 1
    assert turns > 2 * len(tasks)
    for task in tasks:
        assert isinstance(task.exception(), PayloadTooLarge)


async def test_a_bomb_is_refused_before_it_goes_off() -> None:
    """A small body that would grow past the limit is refused, however far it would grow."""
    with pytest.raises(PayloadTooLarge):
        await BodyDecoder(most_bytes=1_000).decoded(gzip.compress(b"0" * 50_000_000), "gzip")


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"not compressed", "gzip"),
        (gzip.compress(b"cut off" * 100)[:-9], "gzip"),
        (gzip.compress(b"x") + b"more", "gzip"),
        (gzip.compress(b"cut off" * 100_000)[:-9], "gzip"),
        (gzip.compress(random.Random(1).randbytes(900_000))[:800_000] + b"nonsense", "gzip"),
        (b"{}", "br"),
        (gzip.compress(b"x") + gzip.compress(b"y")[:-1], "gzip"),
        (gzip.compress(b"x") + gzip.compress(b"y")[:1], "gzip"),
        (gzip.compress(b"x") + gzip.compress(b"y" * 500_000)[:-9], "gzip"),
        (gzip.compress(b"x") + gzip.compress(b"y") + b"more", "gzip"),
        (gzip.compress(b"x") + b"\0" * 512, "gzip"),
        (gzip.compress(b"x") + zlib.compress(b"y"), "gzip"),
        (zlib.compress(b"x") + gzip.compress(b"y"), "deflate"),
        (zlib.compress(b"x") + zlib.compress(b"y"), "deflate"),
        (gzip.compress(b"") * 1_001, "gzip"),
    ],
)
async def test_what_cannot_be_read_is_refused(body: bytes, encoding: str) -> None:
    """Nonsense, a body that is cut, one that goes on, and an unknown encoding are 400."""
    with pytest.raises(InvalidRequest):
        await BodyDecoder(most_bytes=1_000_000).decoded(body, encoding)
