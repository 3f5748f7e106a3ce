"""How many tokens a minute an account has used: on average, and at its peak."""

from collections.abc import Callable, Iterable

import msgspec

from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries

_MINUTE_NS = 60_000_000_000


class Tokens(msgspec.Struct, frozen=True):
    """Tokens of each kind; ``prompt`` is the sum of the two."""

    uncached_prompt: int = 0
    cached_prompt: int = 0
    generated: int = 0

    def plus(self, other: "Tokens") -> "Tokens":
        return Tokens(
            self.uncached_prompt + other.uncached_prompt,
            self.cached_prompt + other.cached_prompt,
            self.generated + other.generated,
        )

    def highest(self, other: "Tokens") -> "Tokens":
        """Of each kind the greater number."""
        return Tokens(
            max(self.uncached_prompt, other.uncached_prompt),
            max(self.cached_prompt, other.cached_prompt),
            max(self.generated, other.generated),
        )


class TokenRates(msgspec.Struct, frozen=True, kw_only=True):
    """Of one period. ``peak`` is the busiest minute of each kind, which need not be the same minute; ``sums`` and
    ``peak_by_model`` are by base model."""

    minutes: float
    peak: Tokens
    sums: dict[str, Tokens]
    peak_by_model: dict[str, Tokens]


async def token_rates(
    database: Database, account: str, *, since_ns: int, until_ns: int, base_model: Callable[[str], str]
) -> TokenRates:
    """From the usage records of the period. ``base_model`` gives the model behind a name: a router's is counted with
    it. Runs in another thread, for as long as there are records in the period."""
    query = load_queries("servery.metering", "token_rates.sql")["tokens_by_minute"]

    def operation(connection: Connection) -> TokenRates:
        rows = connection.execute(query, {"account": account, "since_ns": since_ns, "until_ns": until_ns})
        used = ((minute, base_model(name), Tokens(*tokens)) for minute, name, *tokens in rows)
        return _rates(used, minutes=(until_ns - since_ns) / _MINUTE_NS)

    return await database.read(operation)


def _rates(used: Iterable[tuple[int, str, Tokens]], *, minutes: float) -> TokenRates:
    """From rows in the order of minutes."""
    by_minute: dict[str, Tokens] = {}
    sums: dict[str, Tokens] = {}
    peaks: dict[str, Tokens] = {}
    peak, current = Tokens(), None
    for minute, model, tokens in used:
        if minute != current:
            peak, current = _counted(by_minute, peak, peaks), minute
        by_minute[model] = by_minute.get(model, Tokens()).plus(tokens)
        sums[model] = sums.get(model, Tokens()).plus(tokens)
    peak = _counted(by_minute, peak, peaks)
    return TokenRates(minutes=minutes, peak=peak, sums=sums, peak_by_model=peaks)


def _counted(by_minute: dict[str, Tokens], peak: Tokens, peaks: dict[str, Tokens]) -> Tokens:
    """Count a minute that is over into ``peaks``, empty it, and return the peak over all models."""
    total = Tokens()
    for model, tokens in by_minute.items():
        total = total.plus(tokens)
        peaks[model] = peaks.get(model, Tokens()).highest(tokens)
    by_minute.clear()
    return peak.highest(total)
