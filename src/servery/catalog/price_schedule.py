"""A price and when it changes: what stands in a price list for one model on one serving path."""

from bisect import bisect_right

import msgspec

from servery.core.price import Price

ALWAYS_NS = 0
"""The ``from_ns`` of a price that was in force from the beginning."""


class PriceStep(msgspec.Struct, frozen=True):
    """``price`` is in force from ``from_ns`` (nanoseconds since the Unix epoch) until the next step."""

    from_ns: int
    price: Price


class PriceSchedule(msgspec.Struct, frozen=True):
    """``steps`` by rising ``from_ns``, at least one; before the first step its price is in force too."""

    steps: tuple[PriceStep, ...]

    def __post_init__(self) -> None:
        assert self.steps, "a schedule has a price"
        moments = [step.from_ns for step in self.steps]
        assert moments == sorted(set(moments)), "steps rise"

    def in_force(self, wall_ns: int) -> PriceStep:
        """The step in force at ``wall_ns``; a step's own moment belongs to it."""
        return self.steps[max(0, self._following(wall_ns) - 1)]

    def next_change(self, wall_ns: int) -> PriceStep | None:
        """The first step after ``wall_ns``; None when the price stands for good."""
        following = max(1, self._following(wall_ns))
        return self.steps[following] if following < len(self.steps) else None

    def changed_by(self, changes: tuple[PriceStep, ...]) -> "PriceSchedule":
        """This schedule with ``changes`` put in; of two prices from the same moment the one given last stands."""
        merged = {step.from_ns: step for step in (*self.steps, *changes)}
        return PriceSchedule(tuple(merged[from_ns] for from_ns in sorted(merged)))

    def halved(self) -> "PriceSchedule":
        """Half of each price, on every dimension. Raises ValueError as ``half`` does."""
        return PriceSchedule(tuple(PriceStep(step.from_ns, half(step.price)) for step in self.steps))

    def _following(self, wall_ns: int) -> int:
        return bisect_right(self.steps, wall_ns, key=lambda step: step.from_ns)


def half(price: Price) -> Price:
    """Half of ``price`` on every dimension. Raises ValueError where a half is finer than a pico-dollar per token."""
    amounts = price.amounts
    if any(amount % 2 for amount in amounts):
        raise ValueError("half of it is finer than a micro-dollar per million tokens")
    return Price(*(amount // 2 for amount in amounts))
