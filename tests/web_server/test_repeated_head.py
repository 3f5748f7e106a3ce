"""A head that is not parsed again must be told apart from one that is by nobody but a clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed
from tests.web_server.server import LIMITS

from servery.core.errors import InvalidRequest, PayloadTooLarge
from servery.tenancy.api_keys import secret_sha256
from servery.web.server.http_request import HttpRequest
from servery.web.server.request_parser import RequestParser

Seen = tuple[str, str, bytes, tuple[tuple[bytes, bytes], ...], str, bool, bytes]


def seen(pieces: list[bytes]) -> list[Seen]:
    """What one connection's parser makes of these bytes."""
    requests: list[HttpRequest] = []
    parser = RequestParser(LIMITS, on_head=lambda waits: None, on_request=requests.append)
    for piece in pieces:
        parser.feed(piece)
    return [
        (
            one.head.method,
            one.head.path,
            one.head.query,
            one.head.headers,
            one.head.http_version,
            one.head.keep_alive,
            one.body,
        )
        for one in requests
    ]


def post(body: bytes, *headers: bytes, path: bytes = b"/p?q", length_last: bool = False) -> bytes:
    said = (b"Content-Length: %d" % len(body),)
    ordered = (*headers, *said) if length_last else (*said, *headers)
    return b"\r\n".join((b"POST %b HTTP/1.1" % path, b"Host: a", *ordered, b"", body))


HEADERS = st.lists(
    st.sampled_from(
        [
            b"X: 1",
            b"x:2",
            b"Authorization: Bearer s",
            b"Authorization: Bearer t",
            b"Authorization: Bearer longer",
            b"authorization:Basic s",
            b"X-Api-Key: s",
            b"x-api-key: t",
            b"Connection: keep-alive",
            b"Accept: */*",
        ]
    ),
    max_size=3,
    unique_by=lambda header: header.lower().partition(b":")[0],
)


@given(
    st.lists(
        st.tuples(st.binary(max_size=30), HEADERS, st.sampled_from([b"/p?q", b"/r"]), st.booleans()),
        max_size=8,
    )
)
def test_whole_requests_are_seen_as_single_bytes_are(requests: list[tuple[bytes, list[bytes], bytes, bool]]) -> None:
    """Heads alike, heads that differ, other keys, bodies of other lengths, bodies that look like heads."""
    wire = [post(body, *headers, path=path, length_last=last) for body, headers, path, last in requests]
    assert seen(wire) == seen([bytes([byte]) for byte in b"".join(wire)])


@given(
    st.lists(
        st.sampled_from(
            [
                post(b"abc"),
                post(b"abcd"),
                post(b"abc")[:-1],
                b"c",
                post(b"abc") + post(b"abc"),
                post(b"abc") + b"POST",
                b" / HTTP/1.1\r\nHost: a\r\n\r\n",
                b"\r\n",
                post(b"", b"Transfer-Encoding: chunked")[:-2].replace(b"Content-Length: 0\r\n", b"")
                + b"\r\n3\r\nabc\r\n0\r\n\r\n",
            ]
        ),
        max_size=8,
    )
)
def test_any_pieces_are_seen_as_single_bytes_are(pieces: list[bytes]) -> None:
    """Pipelined, cut, chunked: what can be read is read alike, and what cannot is refused alike."""
    try:
        whole: list[Seen] | None = seen(pieces)
    except InvalidRequest:
        whole = None
    try:
        single: list[Seen] | None = seen([bytes([byte]) for byte in b"".join(pieces)])
    except InvalidRequest:
        single = None
    assert whole == single


def test_a_repeated_head_is_held_to_the_limits() -> None:
    """A body that is too large is refused behind a head that is known, too."""
    with pytest.raises(PayloadTooLarge):
        seen([post(b"abc"), post(b"x" * (LIMITS.max_body_bytes + 1))])


@pytest.mark.parametrize("length", [b"+3", b"3 ", b"0x3", b"3\t", b"", b" 3", b"3_0"])
def test_an_odd_length_behind_a_known_head_is_parsed(length: bytes) -> None:
    """It is refused, or read as the parser reads it, as if nothing had come before."""
    odd = b"POST /p?q HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\n\r\nabc" % length
    try:
        alone: list[Seen] | None = seen([odd])
    except InvalidRequest:
        alone = None
    try:
        behind: list[Seen] | None = seen([post(b"abc"), odd])[1:]
    except InvalidRequest:
        behind = None
    assert alone == behind


@pytest.mark.parametrize("length_last", [False, True])
@pytest.mark.parametrize("name", [b"Authorization: Bearer ", b"x-api-key: "])
def test_a_head_with_another_key_is_not_parsed_again(name: bytes, length_last: bool) -> None:
    """Many clients' requests over one connection of a proxy: each is read with its own key, and without a parser."""
    parsed: list[bool] = []
    found: list[HttpRequest] = []
    parser = RequestParser(LIMITS, on_head=parsed.append, on_request=found.append)
    for key, body in ((b"aaaa", b"1"), (b"bbbb", b"22"), (b"cccc", b""), (b"aaaa", b"1")):
        parser.feed(post(body, name + key, length_last=length_last))
    assert [one.head.key for one in found] == ["aaaa", "bbbb", "cccc", "aaaa"]
    assert [one.head.key_sha256 for one in found] == [secret_sha256(one.head.key) for one in found]
    assert all(one.head.by_name == {"host": "a"} for one in found)
    assert [one.body for one in found] == [b"1", b"22", b"", b"1"]
    assert len(parsed) == 1


@pytest.mark.parametrize("length_last", [False, True])
@pytest.mark.parametrize(
    "key", [b"Bearer a\r\nX: y", b"Bearer \r\n\r\nab", b"Bearer a\0bcdef", b"Bearer \xff\xffabcd", b" Bearer abcde"]
)
def test_an_odd_key_behind_a_known_head_is_parsed(key: bytes, length_last: bool) -> None:
    """As long as the one before, and yet it ends the header, or the head: read as if nothing had come before."""
    odd = post(b"abc", b"Authorization: " + key, length_last=length_last)
    known = post(b"abc", b"Authorization: Bearer " + b"x" * (len(key) - 7), length_last=length_last)
    try:
        alone: list[Seen] | None = seen([odd])
    except InvalidRequest:
        alone = None
    try:
        behind: list[Seen] | None = seen([known, odd])[1:]
    except InvalidRequest:
        behind = None
    assert alone == behind


def test_a_head_that_asks_for_more_is_parsed_each_time() -> None:
    """The client that waits to be told to go on is told so with each request."""
    invited: list[bool] = []
    parser = RequestParser(LIMITS, on_head=invited.append, on_request=lambda request: None)
    for _ in range(3):
        parser.feed(post(b"abc", b"Expect: 100-continue"))
    assert invited == [True] * 3


@pytest.mark.parametrize("length", [b"9" * 20, b"9" * 5_000])
def test_a_length_of_many_digits_is_refused(length: bytes) -> None:
    """Also where the head is one that has been parsed before; it is a client's fault, none of ours."""
    limits = changed(LIMITS, max_header_bytes=20_000)
    parser = RequestParser(limits, on_head=lambda waits: None, on_request=lambda request: None)
    parser.feed(post(b"abc"))
    with pytest.raises(InvalidRequest):
        parser.feed(post(b"abc").replace(b"Length: 3", b"Length: " + length))


@pytest.mark.parametrize("zeros", [5, 5_000])
def test_a_length_may_begin_with_zeros(zeros: int) -> None:
    """As HTTP's grammar has it: it is the same length, or it is refused."""
    found: list[HttpRequest] = []
    limits = changed(LIMITS, max_header_bytes=20_000)
    parser = RequestParser(limits, on_head=lambda waits: None, on_request=found.append)
    parser.feed(post(b"abc"))
    try:
        parser.feed(post(b"abc").replace(b"Length: 3", b"Length: " + b"0" * zeros + b"3"))
    except InvalidRequest:
        assert zeros > 12
    else:
        assert [one.body for one in found] == [b"abc"] * 2
