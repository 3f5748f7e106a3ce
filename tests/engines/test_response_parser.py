"""Reading an engine's response: the same however it is cut, and nothing that could be read in two ways."""

import itertools

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.engines.response_head import Headers, KnownHead, NotHttp
from servery.engines.response_parser import ResponseParser, Told

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class Heard:
    """What a parser told."""

    def __init__(self, known: KnownHead | None = None) -> None:
        self.heads: list[tuple[int, Headers]] = []
        self.body = b""
        self.pieces = 0
        self.ended = False
        self.parser = ResponseParser(known or KnownHead())

    def feed(self, data: bytes) -> None:
        self.parser.feed(data)
        while (told := self.parser.next()) is not Told.NOTHING:
            match told:
                case Told.HEAD:
                    assert self.parser.head is not None
                    self.heads.append((self.parser.head.status, self.parser.head.headers))
                case Told.PIECE:
                    assert self.parser.piece, "an empty piece is none"
                    self.body += self.parser.piece
                    self.pieces += 1
                case Told.END:
                    assert not self.ended, "a response ends once"
                    self.ended = True


def heard(*pieces: bytes, known: KnownHead | None = None) -> Heard:
    told = Heard(known)
    for piece in pieces:
        told.feed(piece)
    return told


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.lists(st.integers(0, 400), max_size=8))
def test_a_chunked_body_is_read_however_it_is_cut(parts: list[bytes], cuts: list[int]) -> None:
    """Any bytes in any chunks, cut anywhere: the same body, one end, and a connection that may be kept."""
    whole = STREAM + chunked(*parts)
    at = sorted({0, *(min(cut, len(whole)) for cut in cuts), len(whole)})
    told = heard(*(whole[start:end] for start, end in itertools.pairwise(at)))
    assert told.heads == [(200, {b"content-type": b"text/event-stream", b"transfer-encoding": b"chunked"})]
    assert (told.body, told.ended, told.parser.keeps_alive) == (b"".join(parts), True, True)


@given(st.lists(st.integers(1, 70_000) | st.sampled_from([1, 15, 16, 255, 256, 2_047, 2_048]), max_size=5), st.data())
def test_a_size_has_as_many_digits_as_it_takes(sizes: list[int], data: st.DataObject) -> None:
    """Also of chunks that are lines' ends and nothing else, in either case, with zeros before it, cut anywhere."""
    form = data.draw(st.sampled_from([b"%x", b"%X", b"%03x", b"%05x"]))
    parts = [(b"\r\n" * size)[:size] for size in sizes]
    whole = STREAM + b"".join((form + b"\r\n%b\r\n") % (len(part), part) for part in parts) + b"0\r\n\r\n"
    at = sorted({0, len(whole), *data.draw(st.lists(st.integers(0, len(whole)), max_size=4))})
    told = heard(*(whole[start:end] for start, end in itertools.pairwise(at)))
    assert (told.body, told.ended, told.parser.keeps_alive) == (b"".join(parts), True, True)


@given(st.binary(max_size=60), st.lists(st.integers(0, 200), max_size=5))
def test_a_counted_body_is_read_however_it_is_cut(body: bytes, cuts: list[int]) -> None:
    """Also an empty one."""
    whole = b"HTTP/1.1 200 OK\r\ncontent-length:  %d \r\n\r\n" % len(body) + body
    at = sorted({0, *(min(cut, len(whole)) for cut in cuts), len(whole)})
    told = heard(*(whole[start:end] for start, end in itertools.pairwise(at)))
    assert (told.body, told.ended, told.parser.keeps_alive) == (body, True, True)


class _Reference:
    """The same, as httptools tells it."""

    def __init__(self) -> None:
        self.body = b""
        self.ended = False

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.ended = True


_ODD = st.sampled_from(
    [b"5\r\nhello\r\n", b"3;a=b\r\nabc\r\n", b"A\r\n0123456789\r\n", b"0\r\n\r\n", b"0\r\nx: y\r\n\r\n"]
)
_WRONG = st.sampled_from([b"g\r\n", b"5\r\nhello!\r\n", b"-1\r\n", b"0x5\r\nhello\r\n", b"\r\n", b"5 5\r\nhello\r\n"])


@given(st.lists(_ODD | _WRONG, max_size=5))
def test_it_takes_no_more_than_another_parser_does(parts: list[bytes]) -> None:
    """What is understood here is understood in the same way by httptools."""
    reference = _Reference()
    parser = httptools.HttpResponseParser(reference)
    told = Heard()
    try:
        for part in (STREAM, *parts):
            if not told.ended:
                told.feed(part)
    except NotHttp:
        return
    for part in (STREAM, *parts):
        if not reference.ended:
            parser.feed_data(part)
    assert (told.body, told.ended) == (reference.body, reference.ended)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/2 200 OK",
        b"ICY 200 OK",
        b"HTTP/1.1 2OO OK",
        b"HTTP/1.1 200 OK\r\nno colon",
        b"HTTP/1.1 200 OK\r\nspaced : x",
        b"HTTP/1.1 200 OK\r\nfolded: x\r\n y",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6",
        b"HTTP/1.1 200 OK\r\ncontent-length: +5",
        b"HTTP/1.1 200 OK\r\ncontent-length: " + b"9" * 20,
        b"HTTP/1.1 200 OK\r\ncontent-length: " + b"0" * 5_000 + b"5",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c",
    ],
)
def test_other_heads_are_refused(head: bytes) -> None:
    """Nothing is guessed."""
    with pytest.raises(NotHttp):
        heard(head + b"\r\n\r\n")


def test_no_more_is_gathered_than_a_head_may_have() -> None:
    """A head, or a chunk's size, that never ends is refused while it comes."""
    with pytest.raises(NotHttp):
        heard(b"HTTP/1.1 200 OK\r\nlong: ", *[b"x" * 10_000] * 8)
    with pytest.raises(NotHttp):
        heard(STREAM, *[b"1;" + b"x" * 1_000] * 9)


def test_interim_answers_are_passed_over() -> None:
    """Only the last head is told."""
    told = heard(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")
    assert told.heads == [(204, {})]
    assert told.ended


def test_a_body_may_last_until_the_connection_ends() -> None:
    """Then nobody is told of an end here, and nothing follows."""
    told = heard(b"HTTP/1.1 200 OK\r\n\r\nab", b"cd")
    assert (told.body, told.ended, told.parser.keeps_alive) == (b"abcd", False, False)


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [(b"1", b"", True), (b"1", b"Close", False), (b"0", b"", False), (b"0", b"Keep-Alive", True)],
)
def test_whether_a_connection_is_kept(version: bytes, connection: bytes, kept: bool) -> None:
    """As the engine says, or else as its version has it."""
    said = b"connection: %b\r\n" % connection if connection else b""
    told = heard(b"HTTP/1.%b 200 OK\r\n%bcontent-length: 0\r\n\r\n" % (version, said))
    assert told.ended
    assert told.parser.keeps_alive is kept


def test_what_follows_a_response_is_nobodys() -> None:
    """It is not read, and the connection is not used again."""
    told = heard(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert (told.body, told.ended, told.parser.keeps_alive) == (b"", True, False)
    for body in (b"content-length: 2\r\n\r\nab", b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"):
        told = heard(b"HTTP/1.1 200 OK\r\n" + body + b"HTTP/1.1 200 OK\r\n")
        assert (told.body, told.ended, told.parser.keeps_alive) == (b"ab", True, False)


def test_a_stopped_parser_tells_nothing() -> None:
    """Also in the middle of what it was fed with."""
    parser = ResponseParser(KnownHead())
    parser.feed(STREAM + chunked(b"a", b"b"))
    assert (parser.next(), parser.next(), parser.piece) == (Told.HEAD, Told.PIECE, b"a")
    parser.stop()
    assert parser.next() is Told.NOTHING
    parser.feed(b"1\r\nc\r\n")
    assert parser.next() is Told.NOTHING


_HEADS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nserver: a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\nserver: a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 002\r\nserver: a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2x\r\nserver: a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nserver: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nserver: a\r\nconnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 2\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\ncontent-length: 3\r\n\r\n",
        b"HTTP/1.1 503 Busy\r\ncontent-length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nserver: a\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\nserver: a\r\n\r\n",
        STREAM,
    ]
)


@given(st.lists(_HEADS, min_size=1, max_size=8), st.integers(0, 90))
def test_a_head_that_is_known_says_the_same_as_one_that_is_read(heads: list[bytes], cut: int) -> None:
    """Whatever the connections to an engine have read before, and however it is cut."""
    known = KnownHead()
    for head in heads:
        told = [_all_told(head + b"2\r\nab\r\n0\r\n\r\n", cut, one) for one in (known, KnownHead())]
        assert told[0] == told[1]


def test_a_known_head_is_not_read_again() -> None:
    """The headers of two responses are one object, also where their lengths differ."""
    known = KnownHead()
    first = heard(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nserver: a\r\n\r\nab", known=known)
    second = heard(b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\nserver: a\r\n\r\nhello world", known=known)
    assert (first.body, second.body, second.ended) == (b"ab", b"hello world", True)
    assert first.heads[0][1] is second.heads[0][1]


def _all_told(data: bytes, cut: int, known: KnownHead) -> object:
    told = Heard(known)
    try:
        told.feed(data[:cut])
        told.feed(data[cut:])
    except NotHttp:
        return None
    return told.heads, told.body, told.ended, told.parser.keeps_alive
