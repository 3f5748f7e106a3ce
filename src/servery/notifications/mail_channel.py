"""Delivering by e-mail, over SMTP."""

import smtplib
import ssl
from email.message import EmailMessage
from functools import partial
from typing import Final

import msgspec

from servery.core.daemon_thread import in_daemon_thread
from servery.notifications.channel import Outcome, Parcel

TIMEOUT_S: Final = 20.0


class MailServer(msgspec.Struct, frozen=True, kw_only=True):
    """Where mail is handed in. Without ``starttls`` it goes in the clear; without ``username`` nobody logs in."""

    host: str
    port: int
    sender: str
    starttls: bool = True
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"MailServer({self.host}:{self.port})"


class _Told(msgspec.Struct):
    """What a mail needs of a payload."""

    summary: str
    account: str
    createTime: str  # noqa: N815 - as the payload names it
    data: dict[str, msgspec.Raw]


class MailChannel:
    """Writes an event's sentence and its data; ``server`` None: there is none, and nothing is sent."""

    def __init__(self, server: MailServer | None, *, trusted: ssl.SSLContext | None = None) -> None:
        """``trusted`` None: whom the system trusts."""
        self._server = server
        self._trusted = trusted

    async def deliver(self, parcel: Parcel) -> Outcome:
        """In another thread, because smtplib waits; the end of the platform does not."""
        if self._server is None:
            return Outcome(delivered=False, words="no SMTP server is set", is_final=True)
        try:
            await in_daemon_thread(partial(self._send, self._server, parcel), name="servery-mail")
        except smtplib.SMTPRecipientsRefused as error:
            return Outcome(delivered=False, words=f"the address is refused: {error}"[:200], is_final=True)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            return Outcome(delivered=False, words=f"{type(error).__name__}: {error}"[:200])
        return Outcome(delivered=True, words="handed in")

    def _send(self, server: MailServer, parcel: Parcel) -> None:
        with smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S) as connection:
            if server.starttls:
                connection.starttls(context=self._trusted or ssl.create_default_context())
            if server.username:
                connection.login(server.username, server.password)
            connection.send_message(_message(server, parcel))


def _message(server: MailServer, parcel: Parcel) -> EmailMessage:
    told = msgspec.json.decode(parcel.payload, type=_Told)
    lines = [told.summary, "", f"Account: {told.account}", f"Time: {told.createTime}"]
    lines += [f"{name}: {bytes(value).decode().strip(chr(34))}" for name, value in told.data.items()]
    message = EmailMessage()
    message["From"] = server.sender
    message["To"] = parcel.email
    message["Subject"] = told.summary
    message["X-Servery-Event-Id"] = parcel.event_id
    message.set_content("\n".join(lines) + "\n")
    return message
