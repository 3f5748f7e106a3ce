"""What is written down of limits: how they have adapted, and when they changed."""

from collections.abc import Mapping, Sequence

import msgspec

from servery.catalog.token_limits import TokenLimits
from servery.limits.adaptation import AdaptiveLimits
from servery.limits.limiter import LimitKey
from servery.store.bulk_insert import BulkInsert
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries


class LimitRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One account's limits for one model at ``saved_ns``. ``changed``: what is enforced now and was not when it was
    written down last."""

    account: str
    model: str
    state: AdaptiveLimits
    saved_ns: int
    changed: TokenLimits | None


class LimitChange(msgspec.Struct, frozen=True):
    """``limits`` were enforced for ``model`` from ``changed_ns`` on."""

    model: str
    changed_ns: int
    limits: TokenLimits


class LimitRecords:
    """The tables of adaptive limits. Several processes may write the same account's: the last one counts."""

    def __init__(self, database: Database) -> None:
        queries = load_queries("servery.limits", "limits.sql")
        self._save = BulkInsert(queries["save_adaptive_limits"])
        self._all = queries["adaptive_limits"]
        self._of_account = queries["adaptive_limits_of_account"]
        self._forget = queries["forget_adaptive_limits"]
        self._record_change = BulkInsert(queries["record_limit_change"])
        self._changes = queries["limit_changes"]
        self._forget_changes = queries["forget_limit_changes"]
        self._database = database

    async def save(self, records: Sequence[LimitRecord]) -> None:
        """Durable when it returns. Raises what ``Database.write`` raises."""

        await self._database.write(lambda connection: self.save_within(connection, records))

    def save_within(self, connection: Connection, records: Sequence[LimitRecord]) -> None:
        """As ``save``, inside a transaction."""
        self._save.run(connection, [_state_row(record) for record in records])
        changes = [_change_row(record, record.changed) for record in records if record.changed is not None]
        if changes:
            self._record_change.run(connection, changes)

    async def forget(self, *, states_before_ns: int, changes_before_ns: int) -> None:
        """Let go of what is too old to be needed."""

        def operation(connection: Connection) -> None:
            connection.execute(self._forget, {"before_ns": states_before_ns})
            connection.execute(self._forget_changes, {"before_ns": changes_before_ns})

        await self._database.write(operation)

    async def states(self, *, since_ns: int, most: int) -> Mapping[LimitKey, AdaptiveLimits]:
        """How limits had adapted when they were saved, for as many as ``most`` that were saved last."""

        def operation(connection: Connection) -> dict[LimitKey, AdaptiveLimits]:
            rows = connection.execute(self._all, {"since_ns": since_ns, "most": most}).fetchall()
            return {(account, model): _state(text) for account, model, text in rows}

        return await self._database.look_up(operation)

    async def states_of(self, account: str) -> Mapping[str, AdaptiveLimits]:
        """One account's, by model."""

        def operation(connection: Connection) -> dict[str, AdaptiveLimits]:
            rows = connection.execute(self._of_account, {"account": account}).fetchall()
            return {model: _state(text) for model, text in rows}

        return await self._database.look_up(operation)

    async def changes(self, account: str, *, until_ns: int) -> list[LimitChange]:
        """One account's changes before ``until_ns``, by model and time."""

        def operation(connection: Connection) -> list[LimitChange]:
            rows = connection.execute(self._changes, {"account": account, "until_ns": until_ns}).fetchall()
            return [_change(row) for row in rows]

        return await self._database.look_up(operation)


def _state(text: str) -> AdaptiveLimits:
    return msgspec.json.decode(text, type=AdaptiveLimits)


def _state_row(record: LimitRecord) -> tuple[str | int, ...]:
    return record.account, record.model, msgspec.json.encode(record.state).decode(), record.saved_ns


def _change_row(record: LimitRecord, limits: TokenLimits) -> tuple[str | int, ...]:
    return (
        record.account,
        record.model,
        record.saved_ns,
        limits.prompt_tokens_per_minute,
        limits.uncached_prompt_tokens_per_minute,
        limits.generated_tokens_per_minute,
    )


def _change(row: tuple[str, int, int, int, int]) -> LimitChange:
    model, changed_ns, prompt, uncached_prompt, generated = row
    limits = TokenLimits(
        prompt_tokens_per_minute=prompt,
        uncached_prompt_tokens_per_minute=uncached_prompt,
        generated_tokens_per_minute=generated,
    )
    return LimitChange(model, changed_ns, limits)
