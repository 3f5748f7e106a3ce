"""One replica that was weighed for a request, as it stood then."""

from servery.core.acyclic import acyclic


@acyclic
class Weighed:
    """Replica ``number``: its ``cost_s``, and what made it: the seconds that it is busy, that its cache would lose, and
    that it is discounted; ``cached`` of the prompt in the chain's unit. ``queued_tokens`` it has to compute,
    ``computed_tokens`` it has computed so far. ``before`` is the one that was weighed before it."""

    __slots__ = (
        "before",
        "busy_s",
        "cached",
        "computed_tokens",
        "cost_s",
        "discount_s",
        "dropped_s",
        "number",
        "queued_tokens",
    )

    def __init__(
        self,
        number: int,
        *,
        cost_s: float,
        busy_s: float,
        cached: float,
        dropped_s: float,
        discount_s: float,
        queued_tokens: float,
        computed_tokens: float,
        before: "Weighed | None",
    ) -> None:
        self.number = number
        self.cost_s = cost_s
        self.busy_s = busy_s
        self.cached = cached
        self.dropped_s = dropped_s
        self.discount_s = discount_s
        self.queued_tokens = queued_tokens
        self.computed_tokens = computed_tokens
        self.before = before

    @property
    def order(self) -> tuple[float, float, float, int]:
        """The least is the best: of equal costs the longer prefix, then who has done less."""
        return self.cost_s, -self.cached, self.computed_tokens, self.number
