"""The limits that the operator has fixed, as they stand in the database."""

from collections.abc import Mapping

from servery.core.clock import Clock
from servery.core.errors import InvalidRequest, NotFound
from servery.core.resource_name import ResourceName
from servery.limits.custom_limits import CustomLimits
from servery.limits.limiter import LimitKey
from servery.store.configuration_revision import ConfigurationRevision
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries
from servery.tenancy.accounts import Accounts


class FixedLimits:
    """Reads and changes them. A change moves the configuration's revision, by which running platforms notice it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        queries = load_queries("servery.limits", "limits.sql")
        self._set = queries["set_custom_limits"]
        self._clear = queries["clear_custom_limits"]
        self._all = queries["custom_limits"]
        self._database = database
        self._clock = clock
        self._accounts = Accounts(database, clock)
        self._revision = ConfigurationRevision()

    async def fix(self, account: str, model: str, custom: CustomLimits) -> None:
        """From now on ``custom`` holds for ``account`` and ``model`` (the full name of a model or router), instead of
        what was fixed before.

        Raises NotFound when there is no such account, and InvalidRequest when nothing would be fixed or ``model`` is
        no full name.
        """
        if custom.is_empty:
            raise InvalidRequest("Name at least one limit: prompt, uncached prompt or generated tokens.")
        _check_name(model)
        row = {
            "account": account,
            "model": model,
            "prompt": custom.prompt_tokens_per_minute,
            "uncached_prompt": custom.uncached_prompt_tokens_per_minute,
            "generated": custom.generated_tokens_per_minute,
            "set_ns": self._clock.wall_ns(),
        }

        def operation(connection: Connection) -> None:
            if self._accounts.find(connection, account) is None:
                raise NotFound(f"There is no account {account!r}.", param="account")
            connection.execute(self._set, row)
            self._revision.bump(connection)

        await self._database.change(operation)

    async def free(self, account: str, model: str) -> None:
        """Let the limits adapt again. Raises NotFound when none were fixed."""

        def operation(connection: Connection) -> None:
            if connection.execute(self._clear, {"account": account, "model": model}).rowcount == 0:
                raise NotFound(f"No limits are fixed for {account!r} and {model!r}.", param="model")
            self._revision.bump(connection)

        await self._database.change(operation)

    async def all(self) -> Mapping[LimitKey, CustomLimits]:
        """By account and name."""

        def operation(connection: Connection) -> dict[LimitKey, CustomLimits]:
            rows = connection.execute(self._all).fetchall()
            return {
                (account, model): CustomLimits(
                    prompt_tokens_per_minute=prompt,
                    uncached_prompt_tokens_per_minute=uncached_prompt,
                    generated_tokens_per_minute=generated,
                )
                for account, model, prompt, uncached_prompt, generated in rows
            }

        return await self._database.look_up(operation)


def _check_name(model: str) -> None:
    try:
        ResourceName.parse(model)
    except ValueError as error:
        raise InvalidRequest(f"{error}.", param="model") from None
