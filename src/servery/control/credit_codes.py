"""Credit codes: secrets that are worth a credit to whoever redeems them."""

import base64
import secrets
from collections.abc import Sequence

import msgspec

from servery.core.clock import Clock
from servery.core.errors import InvalidRequest, NotFound, PreconditionFailed
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.place_in_list import Age
from servery.store.sql import load_queries
from servery.tenancy.api_keys import RandomBytes, secret_sha256

_PREFIX_LENGTH = 7
_MOST_REDEMPTIONS = 1_000_000


class CreditCode(msgspec.Struct, frozen=True, kw_only=True):
    """What may be shown of a code. ``prefix`` is its beginning; it can be redeemed ``redemptions_max`` times, once by
    each account, until ``expires_ns``."""

    id: str
    prefix: str
    description: str
    nanodollars: int
    redemptions_max: int
    redemptions: int
    expires_ns: int | None
    created_ns: int
    disabled_ns: int | None


class CreatedCode(msgspec.Struct, frozen=True):
    """A code at its creation: the only time when ``code``, the secret, is known. Its repr leaves it out."""

    code: str
    credit_code: CreditCode

    def __repr__(self) -> str:
        return f"CreatedCode(credit_code={self.credit_code!r})"


class CreditCodes:
    """The codes in the database, of which only the hash is kept."""

    def __init__(self, database: Database, clock: Clock, random_bytes: RandomBytes = secrets.token_bytes) -> None:
        queries = load_queries("servery.control", "credits.sql")
        self._insert = queries["insert_code"]
        self._by_secret = queries["code_by_secret"]
        self._all = queries["all_codes"]
        self._page = queries["page_of_codes"]
        self._count = queries["count_codes"]
        self._use = queries["use_code"]
        self._disable = queries["disable_code"]
        self._database = database
        self._clock = clock
        self._random_bytes = random_bytes

    async def create(
        self, nanodollars: int, *, description: str = "", redemptions_max: int = 1, expires_ns: int | None = None
    ) -> CreatedCode:
        """A new code. Raises InvalidRequest when it could never be redeemed."""
        now_ns = self._clock.wall_ns()
        if not 1 <= redemptions_max <= _MOST_REDEMPTIONS:
            raise InvalidRequest(f"A code is redeemed 1 to {_MOST_REDEMPTIONS} times.", param="redemptionsMax")
        if expires_ns is not None and expires_ns <= now_ns:
            raise InvalidRequest("A code's expiry lies in the future.", param="expireTime")
        code = "sc_" + base64.b32encode(self._random_bytes(20)).decode().lower()
        credit_code = CreditCode(
            id="code-" + self._random_bytes(8).hex(),
            prefix=code[:_PREFIX_LENGTH],
            description=description,
            nanodollars=nanodollars,
            redemptions_max=redemptions_max,
            redemptions=0,
            expires_ns=expires_ns,
            created_ns=now_ns,
            disabled_ns=None,
        )
        row = {**msgspec.structs.asdict(credit_code), "code_sha256": secret_sha256(code)}
        del row["disabled_ns"]
        await self._database.change(lambda connection: connection.execute(self._insert, row).rowcount)
        return CreatedCode(code, credit_code)

    async def list(self) -> list[CreditCode]:
        """All codes, oldest first."""
        rows = await self._database.look_up(lambda connection: connection.execute(self._all).fetchall())
        return [_code(row) for row in rows]

    async def page(self, after: Age, most: int) -> Sequence[CreditCode]:
        """So many codes that follow a place, oldest first."""
        chosen = {"after_ns": after[0], "after_id": after[1], "most": most}
        rows = await self._database.look_up(lambda connection: connection.execute(self._page, chosen).fetchall())
        return [_code(row) for row in rows]

    async def count(self) -> int:
        """How many there are."""
        row = await self._database.look_up(lambda connection: connection.execute(self._count).fetchone())
        return int(row[0])

    async def disable(self, code_id: str) -> None:
        """The code is redeemed no more. Raises NotFound."""
        chosen = {"id": code_id, "disabled_ns": self._clock.wall_ns()}

        def operation(connection: Connection) -> None:
            if connection.execute(self._disable, chosen).rowcount == 0:
                raise NotFound(f"There is no credit code {code_id!r}.", param="code")

        await self._database.change(operation)

    def redeemable(self, connection: Connection, code: str) -> CreditCode:
        """Within the transaction that redeems it. Raises NotFound, and PreconditionFailed when it is over."""
        row = connection.execute(self._by_secret, {"code_sha256": secret_sha256(code)}).fetchone()
        if row is None:
            raise NotFound("There is no such credit code.", param="code")
        found = _code(row)
        if found.disabled_ns is not None:
            raise PreconditionFailed("This credit code was disabled.", param="code")
        if found.expires_ns is not None and self._clock.wall_ns() >= found.expires_ns:
            raise PreconditionFailed("This credit code has expired.", param="code")
        return found

    def use(self, connection: Connection, code: CreditCode) -> None:
        """Count a redemption. Raises PreconditionFailed when none is left."""
        if connection.execute(self._use, {"id": code.id}).rowcount == 0:
            raise PreconditionFailed("This credit code is used up.", param="code")


def _code(row: tuple[str, str, str, int, int, int, int | None, int, int | None]) -> CreditCode:
    code_id, prefix, description, nanodollars, redemptions_max, redemptions, expires_ns, created_ns, disabled_ns = row
    return CreditCode(
        id=code_id,
        prefix=prefix,
        description=description,
        nanodollars=nanodollars,
        redemptions_max=redemptions_max,
        redemptions=redemptions,
        expires_ns=expires_ns,
        created_ns=created_ns,
        disabled_ns=disabled_ns,
    )
