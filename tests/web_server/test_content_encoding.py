"""Compressed bodies."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.core.errors import InvalidRequest, PayloadTooLarge
from servery.web.server.content_encoding import decoded_body


@given(st.binary(max_size=2_000), st.sampled_from(["gzip", "x-gzip", "deflate", "identity", ""]))
def test_what_was_compressed_comes_back(body: bytes, encoding: str) -> None:
    """Every encoding that is understood gives the body back."""
    compress = {"deflate": zlib.compress, "identity": bytes, "": bytes}.get(encoding, gzip.compress)
    assert decoded_body(compress(body), encoding, most_bytes=2_000) == body


def test_a_bomb_is_refused_before_it_goes_off() -> None:
    """A small body that would grow past the limit is refused, however far it would grow."""
    with pytest.raises(PayloadTooLarge):
        decoded_body(gzip.compress(b"0" * 50_000_000), "gzip", most_bytes=1_000)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"not compressed", "gzip"),
        (gzip.compress(b"cut off" * 100)[:-9], "gzip"),
        (gzip.compress(b"x") + b"more", "gzip"),
        (b"{}", "br"),
    ],
)
def test_what_cannot_be_read_is_refused(body: bytes, encoding: str) -> None:
    """Nonsense, a body that is cut, one that goes on, and an unknown encoding are 400."""
    with pytest.raises(InvalidRequest):
        decoded_body(body, encoding, most_bytes=1_000)
