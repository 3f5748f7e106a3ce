"""Why a branch of a request went where it went, in the form that costs least to make and to keep."""

from servery.core.acyclic import acyclic
from servery.routing.decision import Decision, Score
from servery.routing.weighed import Weighed


@acyclic
class Weighing:
    """The replicas that were weighed, as they stood then: the ``last``, and from each the one before. The numbers of
    those that had no room, or had failed the request before, are in ``full``. ``names`` are the pool's, by number;
    ``length`` is the prompt's, in the chain's unit.

    ``request_id`` and ``branch`` are whose it is, once it is kept. Nothing else changes after the choice.
    """

    __slots__ = ("branch", "full", "last", "length", "names", "request_id", "units_per_token")

    def __init__(self, names: tuple[str, ...], *, length: int, units_per_token: float) -> None:
        self.names = names
        self.length = length
        self.units_per_token = units_per_token
        self.last: Weighed | None = None
        self.full: tuple[int, ...] = ()
        self.request_id = ""
        self.branch = 0

    @property
    def weighed(self) -> list[Weighed]:
        """The best first."""
        found, one = [], self.last
        while one is not None:
            found.append(one)
            one = one.before
        return sorted(found, key=_order)

    @property
    def decision(self) -> Decision:
        """In words and tokens."""
        scores = tuple([self._score(one) for one in self.weighed])
        return Decision(scores, tuple([self.names[number] for number in self.full]))

    def has(self, number: int) -> bool:
        """Whether the replica was looked at."""
        one = self.last
        while one is not None:
            if one.number == number:
                return True
            one = one.before
        return number in self.full

    def begin_anew(self) -> None:
        """None that was looked at had room."""
        self.full = ()

    def explain(self) -> str:
        """The decision in one line."""
        return self.decision.told()

    def _score(self, weighed: Weighed) -> Score:
        return Score(
            replica=self.names[weighed.number],
            cost_s=weighed.cost_s,
            queued_tokens=weighed.queued_tokens,
            busy_s=weighed.busy_s,
            cached_tokens=weighed.cached / self.units_per_token,
            uncached_tokens=(self.length - weighed.cached) / self.units_per_token,
            dropped_s=weighed.dropped_s,
            discount_s=weighed.discount_s,
        )


def _order(weighed: Weighed) -> tuple[float, float, float, int]:
    return weighed.order
