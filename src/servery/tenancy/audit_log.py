"""The audit log: who has changed what, and when. Only ever added to."""

import secrets
from collections.abc import Awaitable
from typing import Final, TypeVar

import msgspec

from servery.core.clock import Clock
from servery.store.database import Database, Operation
from servery.store.sql import load_queries

END: Final = 2**62
"""Before this stands every entry."""

PLATFORM: Final = ""
"""The account of what concerns no account in particular."""

T = TypeVar("T")


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to change something, and what came of it. ``status`` is gRPC's code, 0 for success; ``payload`` is
    the request's JSON without secrets. ``sequence`` is its place in the log, 0 before it has one."""

    sequence: int = 0
    id: str
    account: str
    method: str
    principal: str
    resource: str
    payload: str
    status: int
    message: str
    is_admin_action: bool
    user_agent: str
    client_ip: str
    api_key_id: str
    created_ns: int


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """Who is about to change something of ``account`` (PLATFORM: of none in particular), and how."""

    account: str
    principal: str
    method: str
    resource: str
    payload: str = "{}"
    is_admin_action: bool
    user_agent: str = ""
    client_ip: str = ""
    api_key_id: str = ""


class AuditLog:
    """An entry stands in the transaction of the change itself: neither is there without the other."""

    def __init__(self, database: Database, clock: Clock) -> None:
        queries = load_queries("servery.tenancy", "audit_log.sql")
        self._insert = queries["insert_audit_entry"]
        self._entries = queries["audit_entries"]
        self._database = database
        self._clock = clock

    async def noted(self, attempt: Attempt, change: Awaitable[T]) -> T:
        """Await ``change``, and note it. What it raises is raised here; it is the caller's to ``refused`` it."""
        operation = self._noting(attempt, status=0, message="")
        with self._database.accompanied(operation) as company:
            outcome = await change
        if not company.has_come_along:  # nothing was different from before
            await self._database.write(operation)
        return outcome

    async def refused(self, attempt: Attempt, *, status: int, message: str) -> None:
        """Note an attempt that has changed nothing; durable when it returns."""
        await self._database.write(self._noting(attempt, status=status, message=message))

    def _noting(self, attempt: Attempt, *, status: int, message: str) -> Operation[object]:
        entry = AuditEntry(
            id=f"audit-{secrets.token_hex(12)}",
            status=status,
            message=message,
            created_ns=self._clock.wall_ns(),
            **msgspec.structs.asdict(attempt),
        )
        row = msgspec.structs.asdict(entry)
        del row["sequence"]
        return lambda connection: connection.execute(self._insert, row).rowcount

    async def list(self, account: str, *, before: int = END, most: int) -> list[AuditEntry]:
        """Up to ``most`` entries of an account from before a place in the log, newest first."""
        chosen = {"account": account, "before": before, "most": most}
        rows = await self._database.look_up(lambda connection: connection.execute(self._entries, chosen).fetchall())
        names = AuditEntry.__struct_fields__
        entries = [dict(zip(names, row, strict=True)) for row in rows]
        return [AuditEntry(**{**facts, "is_admin_action": bool(facts["is_admin_action"])}) for facts in entries]
