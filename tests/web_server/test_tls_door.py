"""HTTPS clients, from their first packet on."""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from tests.web_server.server import LIMITS, Server

from servery.core.misconfigured import Misconfigured
from servery.web.server.listener import Listener

FEW = msgspec.structs.replace(LIMITS, max_connections=5, header_timeout_s=3.0)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("certificate")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    words += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*words, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


@pytest.fixture
async def tls_server(certificate: tuple[Path, Path]) -> AsyncIterator[Server]:
    """With room for five clients, who have three seconds for their handshakes."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*certificate)
    server = Server(FEW)
    server.listener = Listener(server.handle, FEW, tls=tls)
    await server.start()
    yield server
    await server.stop()


async def status_line(server: Server, certificate: tuple[Path, Path]) -> bytes:
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trusting)
    writer.write(GET)
    try:
        return await reader.readline()
    finally:
        writer.close()


async def half_open(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that begins a handshake, and leaves it at that."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"\x16\x03\x01\x02\x00\x01")
    return reader, writer


async def wait_handshakes(server: Server, number: int) -> None:
    async with asyncio.timeout(60):
        while server.listener.open_handshakes != number:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_handshakes_count_as_connections(tls_server: Server, certificate: tuple[Path, Path]) -> None:
    """Many clients that never finish theirs take the room of as many connections and no more; it is theirs until the
    time for it is up, and then there is room again."""
    clients = [await half_open(tls_server) for _ in range(40)]
    await wait_handshakes(tls_server, 5)
    with pytest.raises(OSError):  # noqa: PT011 - sent away: which error that makes is the client's affair
        assert not await status_line(tls_server, certificate)
    refused = [reader.at_eof() or reader.exception() is not None for reader, _ in clients]
    assert sum(refused) >= 30
    await wait_handshakes(tls_server, 0)
    assert await status_line(tls_server, certificate) == b"HTTP/1.1 200 OK\r\n"
    for _, writer in clients:
        writer.transport.abort()


def client_hello() -> bytes:
    """The first message of a client that means well."""
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
async def test_a_handshake_is_given_up_wherever_it_stops(certificate: tuple[Path, Path], part: float) -> None:
    """A client that connects and says nothing, one that stops in the middle of its first message, and one that never
    answers the server's: each counts from its connecting on, and is closed when its time is up."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*certificate)
    server = Server(LIMITS)
    server.listener = Listener(server.handle, msgspec.structs.replace(FEW, header_timeout_s=0.5), tls=tls)
    await server.start()
    try:
        hello = client_hello()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(hello[: int(part * len(hello))])
        await wait_handshakes(server, 1)
        assert server.listener.open_connections == 0
        async with asyncio.timeout(60):
            said = await reader.read()
        assert bool(said) is (part == 1.0), "the server answers a whole message, and no more is said"
        await wait_handshakes(server, 0)
        writer.close()
    finally:
        await server.stop()


async def test_open_connections_leave_less_room(tls_server: Server, certificate: tuple[Path, Path]) -> None:
    """Both kinds count towards the same limit."""
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    opened = [await asyncio.open_connection("127.0.0.1", tls_server.port, ssl=trusting) for _ in range(3)]
    await tls_server.wait_open(3)
    clients = [await half_open(tls_server) for _ in range(10)]
    await wait_handshakes(tls_server, 2)
    for _, writer in [*opened, *clients]:
        writer.transport.abort()
    await wait_handshakes(tls_server, 0)
    await tls_server.wait_open(0)


async def test_what_is_no_handshake_is_closed(tls_server: Server, certificate: tuple[Path, Path]) -> None:
    """Plain HTTP, noise, and a client that leaves in the middle; nothing stays, and others are served."""
    for said in (GET, b"\x00" * 100, b"\x16\x03\x01"):
        reader, writer = await asyncio.open_connection("127.0.0.1", tls_server.port)
        writer.write(said)
        if said.startswith(b"\x16"):
            writer.close()
        else:
            async with asyncio.timeout(60):
                assert b"HTTP" not in await reader.read()
            writer.close()
    await wait_handshakes(tls_server, 0)
    assert await status_line(tls_server, certificate) == b"HTTP/1.1 200 OK\r\n"


async def test_a_drain_does_not_wait_for_handshakes(tls_server: Server) -> None:
    """Who is in the middle of one has asked for nothing yet."""
    reader, writer = await half_open(tls_server)
    await wait_handshakes(tls_server, 1)
    async with asyncio.timeout(60):
        await tls_server.listener.drain(timeout_s=3_600)
        assert await reader.read() == b""
    assert tls_server.listener.open_handshakes == 0
    writer.close()


async def test_a_taken_port_is_told(certificate: tuple[Path, Path]) -> None:
    """As without TLS."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*certificate)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = Server(FEW)
        with pytest.raises(Misconfigured, match="cannot listen"):
            await Listener(server.handle, FEW, tls=tls).start("127.0.0.1", taken.getsockname()[1])
