"""Requests over raw sockets: one after another, and within limits."""

import asyncio
import gc

import pytest
from tests.turns import turns
from tests.web_server.raw_client import RawClient
from tests.web_server.server import Server

CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


# One request


async def test_a_request_arrives_whole(client: RawClient) -> None:
    """Method, path still encoded, query, headers by lower-case name, body."""
    client.post(b"hello", "/a%20b?x=1&y=2", "X-Thing: Value")
    told = (await client.response()).json
    assert told["method"] == "POST"
    assert told["path"] == "/a%20b"
    assert told["query"] == "x=1&y=2"
    assert ["x-thing", "Value"] in told["headers"]
    assert told["body"] == "hello"


async def test_a_request_may_arrive_byte_by_byte(client: RawClient) -> None:
    """However it is cut."""
    for byte in b"POST /p?q HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi":
        client.send(bytes([byte]))
        await asyncio.sleep(0)
    told = (await client.response()).json
    assert (told["path"], told["query"], told["body"]) == ("/p", "q", "hi")


async def test_a_chunked_body_is_put_together(client: RawClient) -> None:
    """Also with extensions on its chunks."""
    client.send(CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")
    assert (await client.response()).json["body"] == "abcde"


async def test_fields_after_a_body_are_no_headers(client: RawClient) -> None:
    """Else they would pass a proxy that looks at heads only."""
    client.send(CHUNKED + b"1\r\na\r\n0\r\nAuthorization: Bearer x\r\nHost: b\r\n\r\n")
    headers = (await client.response()).json["headers"]
    assert headers == [["host", "a"], ["transfer-encoding", "chunked"]]
    client.get("/next")
    assert ["host", "a"] in (await client.response()).json["headers"]


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/", "/", ""),
        ("/?", "/", ""),
        ("//host/metrics?a", "//host/metrics", "a"),
        ("/a?b?c", "/a", "b?c"),
        ("http://host/a?b", "/a", "b"),
        ("http://host", "/", ""),
        ("*", "*", ""),
    ],
)
async def test_a_target_has_a_path_and_a_query(client: RawClient, target: str, path: str, query: str) -> None:
    """In origin form nothing of it is a host, so that a proxy and this server mean the same path."""
    client.send(f"OPTIONS {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    told = (await client.response()).json
    assert (told["path"], told["query"]) == (path, query)


async def test_a_head_has_no_body_and_the_length_of_it(client: RawClient) -> None:
    """And the connection is good for the next request."""
    client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    response = await client.response(head_only=True)
    assert int(response.headers["content-length"]) > 0
    client.send(b"HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await client.response(head_only=True)).status == 200


async def test_an_http_1_0_client_gets_no_chunks(server: Server, client: RawClient) -> None:
    """The end of a stream is the end of the connection; an answer of known length says so."""
    server.release.set()
    client.send(b"GET /stream HTTP/1.0\r\n\r\n")
    response = await client.response()
    assert response.body == b"firstlast"
    assert "transfer-encoding" not in response.headers
    client = await server.connect()
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    assert (await client.response()).headers["connection"] == "close"
    assert await client.is_closed()


async def test_a_wish_for_http_2_is_passed_over(server: Server, client: RawClient) -> None:
    """Clients send it with their first request, body and all: it is served once, and the next one too."""
    client.post(b"hello", "/first", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMA")
    client.get("/second", "Connection: Upgrade", "Upgrade: websocket")
    client.get("/third")
    first = (await client.response()).json
    assert (first["path"], first["body"]) == ("/first", "hello")
    assert (await client.response()).json["path"] == "/second"
    assert (await client.response()).json["path"] == "/third"
    assert len(server.requests) == 3


async def test_this_is_no_proxy(server: Server, client: RawClient) -> None:
    """CONNECT is refused."""
    client.send(b"CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\n\r\n")
    assert (await client.response()).status == 400
    assert await client.is_closed()
    assert server.requests == []


# One after another


async def test_a_connection_serves_many_requests(client: RawClient) -> None:
    """Each is answered before the next is sent."""
    for number in range(5):
        client.get(f"/{number}")
        response = await client.response()
        assert response.json["path"] == f"/{number}"
        assert "connection" not in response.headers


async def test_a_client_that_wants_to_close_is_obeyed(client: RawClient) -> None:
    """And told so."""
    client.get("/", "Connection: close")
    assert (await client.response()).headers["connection"] == "close"
    assert await client.is_closed()


async def test_pipelined_requests_are_answered_in_order(server: Server, client: RawClient) -> None:
    """One at a time, also when the first takes longest."""
    client.get("/hold")
    for number in range(4):
        client.post(b"x" * number, f"/{number}")
    await server.entered.wait()
    await turns()
    assert len(server.requests) == 1
    server.release.set()
    assert (await client.response()).json["path"] == "/hold"
    for number in range(4):
        assert (await client.response()).json["path"] == f"/{number}"


async def test_what_came_before_garbage_is_answered(server: Server, client: RawClient) -> None:
    """All requests that were whole are served, in order; the refusal comes last, and the connection closes."""
    client.get("/hold")
    client.get("/second")
    client.send(b"garbage\r\n\r\n")
    await server.entered.wait()
    await turns()
    server.release.set()
    assert (await client.response()).json["path"] == "/hold"
    assert (await client.response()).json["path"] == "/second"
    assert (await client.response()).status == 400
    assert await client.is_closed()


async def test_too_many_waiting_requests_are_refused(server: Server, client: RawClient) -> None:
    """Those that had room are served."""
    client.get("/hold")
    for number in range(20):
        client.get(f"/{number}")
    await server.entered.wait()
    server.release.set()
    assert (await client.response()).json["path"] == "/hold"
    for number in range(8):
        assert (await client.response()).json["path"] == f"/{number}"
    assert (await client.response()).status == 400
    assert len(server.requests) == 9


# Expect


async def test_a_body_is_invited(client: RawClient) -> None:
    """``Expect: 100-continue`` is answered before the body; then the request as any other."""
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert await client.line() == "HTTP/1.1 100 Continue"
    assert await client.line() == ""
    client.send(b"hi")
    assert (await client.response()).json["body"] == "hi"


async def test_a_body_that_is_too_large_is_not_invited(client: RawClient) -> None:
    """The refusal saves the sending."""
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10001\r\nExpect: 100-continue\r\n\r\n")
    assert (await client.response()).status == 413


async def test_no_invitation_within_another_response(server: Server, client: RawClient) -> None:
    """It would stand in the middle of it."""
    client.get("/stream")
    client.send(b"POST /next HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi")
    await server.entered.wait()
    await turns()
    server.release.set()
    assert (await client.response()).body == b"firstlast"
    assert (await client.response()).json["body"] == "hi"


# Limits


async def test_a_body_that_announces_too_much_is_refused(server: Server, client: RawClient) -> None:
    """At once, before it is sent; and the connection closes."""
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10001\r\n\r\n")
    response = await client.response()
    assert response.status == 413
    assert response.headers["connection"] == "close"
    assert await client.is_closed()
    assert server.requests == []


async def test_a_chunked_body_that_grows_too_large_is_refused(server: Server, client: RawClient) -> None:
    """As soon as it is."""
    client.send(CHUNKED + b"".join(b"3e8\r\n" + b"x" * 1_000 + b"\r\n" for _ in range(11)))
    assert (await client.response()).status == 413
    assert await client.is_closed()
    assert server.requests == []


async def test_a_client_that_goes_on_sending_reads_its_refusal(server: Server, client: RawClient) -> None:
    """What it sends after the refusal is dropped, not answered with a reset that would take the refusal along."""
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n")
    for _ in range(50):
        client.send(b"x" * 100_000)
        await asyncio.sleep(0)
    assert (await client.response()).status == 413
    client.close()
    await server.wait_open(0)


async def test_a_body_up_to_the_limit_is_taken(client: RawClient) -> None:
    """To the byte."""
    client.post(b"x" * 10_000)
    assert len((await client.response()).json["body"]) == 10_000


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * 3_000 + b" HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 3_000 + b"\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 500,
        b"GET / HTTP/1.1\r\nX: " + b"x" * 3_000,  # a value that never ends
        b"GET / HTTP/1.1\r\n" + b"x" * 3_000,  # a name that never ends
        b"GET / HTTP/1.1\r\nX:" + b" " * 3_000,
        CHUNKED + b"1;" + b"x" * 3_000,
    ],
    ids=["target", "value", "many", "endless value", "endless name", "endless space", "endless extension"],
)
async def test_headers_are_bounded(client: RawClient, head: bytes) -> None:
    """However they grow, also where the parser would gather for ever; the refusal does not wait for their end."""
    for start in range(0, len(head), 500):
        client.send(head[start : start + 500])
        await asyncio.sleep(0)
    assert (await client.response()).status == 400
    assert await client.is_closed()


async def test_a_body_may_be_larger_than_headers_may(client: RawClient) -> None:
    """In small pieces too: the bound on headers is theirs alone."""
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n")
    for _ in range(90):
        client.send(b"x" * 100)
        await asyncio.sleep(0)
    assert len((await client.response()).json["body"]) == 9_000


async def test_connections_are_bounded(server: Server) -> None:
    """One too many is closed at once; the others are not concerned."""
    clients = [await server.connect() for _ in range(50)]
    await server.wait_open(50)
    extra = await server.connect()
    assert await extra.is_closed()
    clients[0].get()
    assert (await clients[0].response()).status == 200


# Shapes that smuggle requests

SMUGGLED = {
    "length and chunks": b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "two equal lengths": b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a list of lengths": b"Content-Length: 3, 3\r\n\r\nabc",
    "a signed length": b"Content-Length: +3\r\n\r\nabc",
    "a hexadecimal length": b"Content-Length: 0x3\r\n\r\nabc",
    "an immense length": b"Content-Length: 99999999999999999999\r\n\r\n",
    "space before the colon": b"Content-Length : 3\r\n\r\nabc",
    "a folded header": b"X: a\r\n b\r\n\r\n",
    "a folded first header": b" X: a\r\n\r\n",
    "a bare line feed": b"X: a\nY: b\r\n\r\n",
    "a null": b"X: a\x00b\r\n\r\n",
    "an unknown encoding": b"Transfer-Encoding: xchunked\r\n\r\nabc",
    "identity": b"Transfer-Encoding: identity\r\n\r\nabc",
    "chunked, then identity": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "two encodings": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "an encoding beside chunks": b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "two hosts": b"Host: b\r\n\r\n",
    "two keys": b"Authorization: Bearer x\r\nAuthorization: Bearer y\r\n\r\n",
    "two of Anthropic's keys": b"X-Api-Key: x\r\nx-api-key: y\r\n\r\n",
    "two compressions": b"Content-Encoding: gzip\r\nContent-Encoding: identity\r\n\r\n",
    "a chunk size that is none": b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    "a signed chunk size": b"Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n",
    "space after a chunk size": b"Transfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n",
    "a chunk size too large": b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "a chunk longer than it says": b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    "a chunk line without CR": b"Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("shape", SMUGGLED.values(), ids=SMUGGLED.keys())
async def test_what_two_servers_could_read_in_two_ways_is_refused(
    server: Server, client: RawClient, shape: bytes
) -> None:
    """With 400, and nothing after it is read: a request that hides behind it is not served."""
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + shape + b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await client.response()).status == 400
    assert await client.is_closed()
    assert server.requests == []


@pytest.mark.parametrize(
    "head",
    ["GET / HTTP/1.1\r\nX: a", "GET / HTTP/2.0\r\nHost: a", "GET / HTTP/1.2\r\nHost: a", "GET /", "GET / HTTP/0.9"],
)
async def test_a_head_of_another_time_is_refused(server: Server, client: RawClient, head: str) -> None:
    """Without a host, or of a version that is not served."""
    client.send(f"{head}\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert (await client.response()).status == 400
    assert await client.is_closed()
    assert server.requests == []


async def test_other_headers_may_come_twice(client: RawClient) -> None:
    """As lists do."""
    client.get("/", "Accept: a", "Accept: b")
    assert [header for header in (await client.response()).json["headers"] if header[0] == "accept"] == [
        ["accept", "a"],
        ["accept", "b"],
    ]


@pytest.mark.parametrize(
    "garbage",
    [b"\x16\x03\x01\x02\x00\x01", b"hello\r\n\r\n", b"GET\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00" * 9],
)
async def test_garbage_is_refused(server: Server, client: RawClient, garbage: bytes) -> None:
    """TLS, HTTP/2, noise: one refusal, and the connection closes."""
    client.send(garbage)
    assert (await client.response()).status == 400
    assert await client.is_closed()
    assert server.requests == []


async def test_a_fault_takes_none_of_the_other_requests_with_it(client: RawClient) -> None:
    """Neither one that waits already, nor one that comes later. The fault is told to the event loop."""
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, told: faults.append(told["exception"]))
    client.get("/fault")
    client.get("/waits")
    assert [(await client.response()).json["path"] for _ in range(2)] == ["/fault", "/waits"]
    client.get("/fault")
    assert (await client.response()).json["path"] == "/fault"
    client.get("/later")
    assert (await client.response()).json["path"] == "/later"
    gc.collect()
    assert [type(fault) for fault in faults] == [ValueError, ValueError]
