"""What accounts are told in time: keys that will expire, models that will go."""

from datetime import date, timedelta
from typing import Final

from servery.catalog.catalog import Catalog
from servery.core.clock import Clock, rfc3339, utc_date
from servery.notifications.event import EventKind
from servery.notifications.outbox import Outbox
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries
from servery.tenancy.notice_addresses import NoticeAddresses

KEY_NOTICE: Final = timedelta(days=7)
MODEL_NOTICE: Final = timedelta(days=30)
_EVERY_S: Final = 600.0
_DAY_NS: Final = 86_400 * 10**9


class Reminders:
    """``remind`` is one of a platform's rounds, and looks every ten minutes. Each thing is told once."""

    def __init__(self, database: Database, clock: Clock, catalog: Catalog) -> None:
        queries = load_queries("servery.control", "account_notices.sql")
        self._expiring = queries["expiring_keys"]
        self._users_of = queries["accounts_using_model"]
        self._database = database
        self._clock = clock
        self._catalog = catalog
        self._outbox = Outbox(clock)
        self._addresses = NoticeAddresses()
        self._due_s = clock.monotonic_s()

    async def remind(self) -> None:
        if self._clock.monotonic_s() < self._due_s:
            return
        self._due_s = self._clock.monotonic_s() + _EVERY_S
        await self._database.write(self._of_keys)
        today = utc_date(self._clock.wall_ns())
        for model in self._catalog.models():
            end = model.deprecation_date
            if end is not None and today <= end <= today + MODEL_NOTICE:
                await self._of_model(model.name, end)

    def _of_keys(self, connection: Connection) -> None:
        """A key that was made to live for a day is not reminded of: its maker knows."""
        now_ns = self._clock.wall_ns()
        period = {
            "now_ns": now_ns,
            "until_ns": now_ns + KEY_NOTICE.days * _DAY_NS,
            "created_until_ns": now_ns - _DAY_NS,
        }
        for key_id, account, user, name, expires_ns in connection.execute(self._expiring, period).fetchall():
            if self._outbox.is_news(connection, account, f"key/{key_id}/expiring"):
                self._outbox.add(
                    connection,
                    account,
                    EventKind.KEY_EXPIRING,
                    f"The API key {key_id} of account {account} expires at {rfc3339(expires_ns)}.",
                    {"keyId": key_id, "user": user, "displayName": name, "expireTime": rfc3339(expires_ns)},
                    emails=self._addresses.within(connection, account),
                )

    async def _of_model(self, model: str, end: date) -> None:
        def operation(connection: Connection) -> None:
            for (account,) in connection.execute(self._users_of, {"model": model}).fetchall():
                if self._outbox.is_news(connection, account, f"model/{model}/{end}"):
                    self._outbox.add(
                        connection,
                        account,
                        EventKind.MODEL_DEPRECATED,
                        f"The model {model} is served until {end}.",
                        {"model": model, "deprecationDate": end.isoformat()},
                        emails=self._addresses.within(connection, account),
                    )

        await self._database.write(operation)
