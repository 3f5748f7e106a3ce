"""E-mail over real SMTP, on loopback."""

import asyncio
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import msgspec
import pytest
from tests.fakes.smtp_sink import SmtpSink

from servery.notifications.channel import Parcel
from servery.notifications.event import Event, EventKind
from servery.notifications.mail_channel import MailChannel, MailServer


def parcel(email: str = "ops@example.org", summary: str = "The credits of account acme come to an end.") -> Parcel:
    event = Event(
        id="evt_1",
        account="acme",
        kind=EventKind.CREDIT_LOW,
        summary=summary,
        data={"creditsLeftNanodollars": "5", "prepaid": True},
        created_ns=0,
    )
    return Parcel(
        event_id="evt_1",
        delivery_id="dlv_1",
        account="acme",
        kind=event.kind,
        payload=event.payload(),
        email=email,
    )


def server(sink: SmtpSink, **changes: object) -> MailServer:
    plain = MailServer(host="127.0.0.1", port=sink.port, sender="servery@example.org", starttls=False)
    return msgspec.structs.replace(plain, **changes)


async def test_a_notice_is_handed_in() -> None:
    """Its sentence is the subject; its data stand below."""
    async with SmtpSink() as sink:
        outcome = await MailChannel(server(sink)).deliver(parcel())
    assert outcome.delivered
    text = sink.messages[0].decode().replace("\r\n", "\n")
    assert "Subject: The credits of account acme come to an end." in text
    assert "To: ops@example.org" in text
    assert "creditsLeftNanodollars: 5\nprepaid: true\n" in text
    assert "mail FROM:<servery@example.org>" in "\n".join(sink.commands)


async def test_it_speaks_tls_and_logs_in(certificate: tuple[Path, Path]) -> None:
    """The password goes over TLS alone; a certificate that is not trusted is refused."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    trusted = ssl.create_default_context(cafile=str(certificate[0]))
    async with SmtpSink(tls=context) as sink:
        secure = server(sink, starttls=True, username="u", password="password", host="localhost")
        assert (await MailChannel(secure, trusted=trusted).deliver(parcel())).delivered
        assert any(command.startswith("tls AUTH") for command in sink.commands)
        assert not (await MailChannel(secure).deliver(parcel())).delivered
    assert "password" not in repr(secure)


async def test_what_does_not_arrive_is_told() -> None:
    """A refused address is for good; a server that is away is tried again; without a server nothing is sent."""
    async with SmtpSink(refused=frozenset({"nobody@example.org"})) as sink:
        refused = await MailChannel(server(sink)).deliver(parcel("nobody@example.org"))
        assert (refused.delivered, refused.is_final) == (False, True)
        odd = await MailChannel(server(sink)).deliver(parcel(summary="two\nlines"))
        assert not odd.delivered
        away = server(sink)
    lost = await MailChannel(away).deliver(parcel())
    assert (lost.delivered, lost.is_final) == (False, False)
    none = await MailChannel(None).deliver(parcel())
    assert (none.delivered, none.is_final) == (False, True)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost that nobody has signed, and its key."""
    directory = tmp_path_factory.mktemp("tls")
    cert, key = directory / "cert.pem", directory / "key.pem"
    command = (
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
        f" -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout {key} -out {cert}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    return cert, key


def test_a_server_that_says_nothing_holds_up_no_end() -> None:
    """Nor does the thread that waits for it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        channel = MailChannel(MailServer(host="127.0.0.1", port=silent.getsockname()[1], sender="s@example.com"))

        async def leave() -> socket.socket:
            carrying = asyncio.create_task(channel.deliver(parcel()))
            connection, _ = await asyncio.to_thread(silent.accept)
            carrying.cancel()
            await asyncio.wait({carrying})
            assert carrying.cancelled()
            return connection

        with asyncio.run(leave()):
            assert "servery-mail" in {thread.name for thread in threading.enumerate()}, "it still waits"
