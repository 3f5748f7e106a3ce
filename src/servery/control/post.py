"""The platform's post: a courier on its rounds, with its ways to the world."""

import asyncio
import logging

from servery.control.rounds import Rounds
from servery.core.clock import Clock
from servery.core.misconfigured import Misconfigured
from servery.notifications.courier import Courier
from servery.notifications.mail_channel import MailChannel, MailServer
from servery.notifications.webhook_channel import WebhookChannel
from servery.settings import Settings
from servery.store.database import Database


class Post:
    """``mail`` None: no e-mail is sent. What is on its way when the platform ends is carried after the next start."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        mail: MailServer | None,
        private_hosts: bool,
        interval_s: float,
        logger: logging.Logger,
    ) -> None:
        self._webhook = WebhookChannel(clock, private_hosts=private_hosts)
        courier = Courier(database, clock, webhook=self._webhook, mail=MailChannel(mail))
        self._rounds = Rounds([courier.carry], pause=lambda: asyncio.sleep(interval_s), logger=logger)

    async def run(self) -> None:
        """Until it is cancelled."""
        await self._rounds.run()

    async def close(self) -> None:
        """After ``run`` has ended."""
        await self._webhook.close()


def mail_server(settings: Settings) -> MailServer | None:
    """As the settings say; None when they name none. Raises Misconfigured when the password's file cannot be read."""
    if settings.smtp_host is None:
        return None
    try:
        file = settings.smtp_password_file
        password = "" if file is None else file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"--smtp-password-file: cannot be read: {error}") from error
    return MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.smtp_sender,
        starttls=settings.smtp_starttls,
        username=settings.smtp_username or "",
        password=password,
    )
