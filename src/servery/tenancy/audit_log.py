"""The audit log: who has changed what, and when. Only ever added to."""

import secrets
from typing import Final

import msgspec

from servery.core.caller import Caller
from servery.core.clock import Clock
from servery.store.database import Database
from servery.store.sql import load_queries

END: Final = 2**62
"""Before this stands every entry."""

COMMAND_LINE: Final = "command-line"
"""The principal of what is done on the machine itself."""


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


class AuditLog:
    """Entries are durable before whoever made the change is answered."""

    def __init__(self, database: Database, clock: Clock) -> None:
        queries = load_queries("servery.tenancy", "audit_log.sql")
        self._insert = queries["insert_audit_entry"]
        self._entries = queries["audit_entries"]
        self._database = database
        self._clock = clock

    async def add(
        self,
        account: str,
        *,
        caller: Caller | None,
        method: str,
        resource: str,
        payload: str = "{}",
        status: int = 0,
        message: str = "",
        user_agent: str = "",
        client_ip: str = "",
    ) -> None:
        """Note an attempt on ``account``; ``caller`` None: at the command line."""
        by_command = caller is None
        principal = COMMAND_LINE if caller is None else f"accounts/{caller.account}/users/{caller.user}"
        entry = AuditEntry(
            id=f"audit-{secrets.token_hex(12)}",
            account=account,
            method=method,
            principal=principal,
            resource=resource,
            payload=payload,
            status=status,
            message=message,
            is_admin_action=by_command or (caller is not None and caller.admin),
            user_agent=user_agent,
            client_ip=client_ip,
            api_key_id="" if caller is None else caller.key_id,
            created_ns=self._clock.wall_ns(),
        )
        row = msgspec.structs.asdict(entry)
        del row["sequence"]
        await self._database.write(lambda connection: connection.execute(self._insert, row).rowcount)

    async def list(self, account: str, *, before: int = END, most: int) -> list[AuditEntry]:
        """Up to ``most`` entries of an account from before a place in the log, newest first."""
        chosen = {"account": account, "before": before, "most": most}
        rows = await self._database.look_up(lambda connection: connection.execute(self._entries, chosen).fetchall())
        names = AuditEntry.__struct_fields__
        entries = [dict(zip(names, row, strict=True)) for row in rows]
        return [AuditEntry(**{**facts, "is_admin_action": bool(facts["is_admin_action"])}) for facts in entries]
