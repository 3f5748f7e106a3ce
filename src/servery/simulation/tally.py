"""What happened in a run, counted as it happens."""

from array import array
from collections import Counter
from enum import StrEnum

from servery.core.serving_path import ServingPath
from servery.core.usage import Usage
from servery.simulation.traces.request import Request


class Ending(StrEnum):
    """How a client's call ended. ``limited`` is a 429; those from ``shed_capacity`` to ``expired`` are 503s, as
    admission calls them; ``engine_broke`` is an answer that broke off, or no answer after all attempts."""

    COMPLETED = "completed"
    LIMITED = "limited"
    SHED_CAPACITY = "shed_capacity"
    SHED_PREDICTED_WAIT = "shed_predicted_wait"
    DISPLACED = "displaced"
    EXPIRED = "expired"
    ENGINE_BROKE = "engine_broke"


class Group:
    """Calls of one account on one serving path. ``first_s`` are times to the first token, ``per_token_s`` times for
    each further one, of completed calls; ``last_s`` is when the last of them completed. ``timely_tokens`` are prompt
    and generated tokens of the ``timely`` ones, which completed while requests still came and the run was not fresh."""

    __slots__ = (
        "cached_tokens",
        "endings",
        "first_s",
        "generated_tokens",
        "last_s",
        "nanodollars",
        "offered_tokens",
        "per_token_s",
        "prompt_tokens",
        "requests",
        "timely",
        "timely_tokens",
    )

    def __init__(self) -> None:
        self.requests = 0
        self.endings: Counter[Ending] = Counter()
        self.first_s = array("f")
        self.per_token_s = array("f")
        self.offered_tokens = 0
        self.prompt_tokens = 0
        self.cached_tokens = 0
        self.generated_tokens = 0
        self.nanodollars = 0
        self.last_s = 0.0
        self.timely = 0
        self.timely_tokens = 0

    def add(self, other: "Group") -> None:
        """Count what ``other`` counted too."""
        self.requests += other.requests
        self.endings.update(other.endings)
        self.first_s.extend(other.first_s)
        self.per_token_s.extend(other.per_token_s)
        self.offered_tokens += other.offered_tokens
        self.prompt_tokens += other.prompt_tokens
        self.cached_tokens += other.cached_tokens
        self.generated_tokens += other.generated_tokens
        self.nanodollars += other.nanodollars
        self.last_s = max(self.last_s, other.last_s)
        self.timely += other.timely
        self.timely_tokens += other.timely_tokens


class Tally:
    """``predicted_error_tokens`` sums up by how much routing was wrong about cached tokens, up or down, over
    ``predicted_of_tokens`` of prompts. ``retries`` are calls that a client made again, ``attempts_elsewhere`` those
    that were sent to a second engine, ``called_back`` how often one was for somebody who goes before it. ``is_over``:
    no more requests come. ``is_fresh``: places are still being filled, ``fresh_s`` in all, and whoever asks first has
    them."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Count from the beginning."""
        self.groups: dict[tuple[str, ServingPath], Group] = {}
        self.predicted_error_tokens = 0.0
        self.predicted_of_tokens = 0
        self.retries = 0
        self.attempts_elsewhere = 0
        self.called_back = 0
        self.most_waiting = 0
        self.first_arrival_s: float | None = None
        self.last_arrival_s = 0.0
        self.is_over = False
        self.is_fresh = False
        self.fresh_s = 0.0

    def offered(self, request: Request) -> None:
        """A new request, not yet what becomes of it."""
        if self.first_arrival_s is None:
            self.first_arrival_s = request.arrives_s
        self.last_arrival_s = request.arrives_s
        group = self._group(request)
        group.requests += 1
        group.offered_tokens += request.prompt_tokens + request.generated_tokens

    def predicted(self, request: Request, *, cached_tokens: float, reported_tokens: int) -> None:
        self.predicted_error_tokens += abs(cached_tokens - reported_tokens)
        self.predicted_of_tokens += request.prompt_tokens

    def refused(self, request: Request, ending: Ending) -> None:
        """For good: the client does not try again."""
        self._group(request).endings[ending] += 1

    def completed(
        self,
        request: Request,
        usage: Usage,
        *,
        first_s: float,
        per_token_s: float | None,
        nanodollars: int,
        now_s: float,
    ) -> None:
        group = self._group(request)
        group.endings[Ending.COMPLETED] += 1
        group.first_s.append(first_s)
        if per_token_s is not None:
            group.per_token_s.append(per_token_s)
        group.prompt_tokens += usage.prompt_tokens
        group.cached_tokens += usage.cached_prompt_tokens
        group.generated_tokens += usage.generated_tokens
        group.nanodollars += nanodollars
        group.last_s = now_s
        if not (self.is_over or self.is_fresh):
            group.timely += 1
            group.timely_tokens += usage.total_tokens

    def _group(self, request: Request) -> Group:
        key = (request.account, request.path)
        group = self.groups.get(key)
        if group is None:
            group = self.groups[key] = Group()
        return group
