"""A small world in virtual time: accounts that ask, the real queue and fleet, and engines that compute.

An engine computes one prompt after another at ``prefill_per_s``, each to its end, those of a higher class first where
it ``honours`` priorities; then it generates at ``DECODE_PER_S`` for each of its streams. It is full with ``PLACES``.
Everything else on the way to a first token takes ``OVERHEAD_S``. Uncached prompts are 500 tokens, answers 200 on
average: chat, in which what is short is places, and the computing of prompts is a fifth of what an engine could.
"""

from collections.abc import Callable, Iterable
from functools import partial
from heapq import heappop, heappush
from itertools import count
from math import inf
from random import Random

from tests.admission.pools import STANDARD, pool_of

from servery.admission.demand import Demand
from servery.admission.policy import AdmissionPolicy
from servery.admission.pool_queue import PoolQueue
from servery.admission.ticket import Ticket, TicketState
from servery.core.serving_path import ServingClass
from servery.core.work_weights import WorkWeights
from servery.fleet.replica import Replica
from servery.routing.prefill_queue import PrefillQueue, Prompt
from servery.routing.prefill_rate import PoolRate, PrefillRate

REPLICAS, PLACES = 16, 32
DECODE_PER_S, OVERHEAD_S = 100.0, 0.05


class Ask:
    """One request as its client sees it. ``served_s`` is when its first token came, ``done_s`` its last."""

    def __init__(self, at_s: float, account: str, serving_class: ServingClass, *, prompt: int, answer: int) -> None:
        self.at_s = at_s
        self.account = account
        self.serving_class = serving_class
        self.prompt = prompt
        self.answer = answer
        self.first_s: float | None = None
        self.done_s: float | None = None
        self.refusals = 0

    def ticket(self) -> Ticket:
        return Ticket(
            Demand(
                account=self.account,
                serving_class=self.serving_class,
                prompt_tokens=self.prompt,
                uncached_prompt_tokens=self.prompt,
                generated_tokens=200,
                weights=WorkWeights(cached=0.5, generated=4.0),
            ),
            may_be_recalled=True,
        )

    @property
    def tokens(self) -> int:
        return self.prompt + self.answer


class Engine:
    """``ahead`` are those whose prompts wait, ``computing`` the one whose prompt is computed. ``queue`` and
    ``rate`` are what a gateway knows of it."""

    def __init__(self, replica: Replica, rate: PrefillRate) -> None:
        self.replica = replica
        self.rate = rate
        self.queue = PrefillQueue(rate=rate.tokens_per_s)
        replica.occupancy.backlog = self
        self._sent: dict[Ticket, Prompt] = {}
        self.ahead: list[tuple[int, int, Ticket, Ask]] = []
        self.computing: Ticket | None = None
        self.pending = 0

    def prompts_wait_s(self, now_s: float, *, beside: float) -> float:
        return self.queue.backlog_s(now_s) + beside / self.queue.rate

    def sent(self, ticket: Ticket, ask: Ask, now_s: float) -> None:
        self.pending += ask.prompt
        self.queue.rate = self.rate.tokens_per_s
        self._sent[ticket] = self.queue.enter(len(self._sent), ask.prompt, now_s, is_silent=False)
        self.replica.occupancy.pending_prefill_tokens = self.queue.pending_tokens
        ticket.sent_s = now_s

    def over(self, ticket: Ticket, ask: Ask, now_s: float) -> None:
        """Its prompt is computed, or not wanted any more."""
        self.pending -= ask.prompt
        service_s = self.queue.computed(self._sent[ticket], sent_s=ticket.sent_s, now_s=now_s)
        if ask.first_s is not None and service_s is not None:
            self.rate.learn(ask.prompt, service_s)
        self.replica.occupancy.pending_prefill_tokens = self.queue.pending_tokens


class Town:
    """``retries``: how often a client whose request was refused asks again at once."""

    def __init__(
        self,
        *,
        policy: AdmissionPolicy | None = None,
        queue: int = 1_000,
        retries: int = 0,
        replicas: int = REPLICAS,
        places: int = PLACES,
        prefill_per_s: float = 40_000.0,
        honours: bool = True,
    ) -> None:
        self.pool = pool_of(replicas=replicas, concurrency=places, queue=queue)
        self.queue = PoolQueue(self.pool, queue_limit=queue, policy=policy or AdmissionPolicy())
        rate = PoolRate()
        self.engines = {replica: Engine(replica, PrefillRate(rate)) for replica in self.pool.replicas}
        self._prefill_per_s = prefill_per_s
        self._honours = honours
        self._looks_s = inf
        self.now_s = 0.0
        self.longest_engine_queue = 0
        self.longest_queue = 0
        self._retries = retries
        self._asks: dict[Ticket, Ask] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def run(self, asks: Iterable[Ask], *, until_s: float) -> None:
        for ask in asks:
            self._at(ask.at_s, partial(self._arrive, ask))
        while self._events and self._events[0][0] <= until_s:
            self.now_s, _, event = heappop(self._events)
            event()
            self.longest_queue = max(self.longest_queue, self.queue.waiting)

    @property
    def open_tickets(self) -> list[Ticket]:
        """Of requests that have no end yet."""
        return list(self._asks)

    def _at(self, at_s: float, event: Callable[[], None]) -> None:
        heappush(self._events, (at_s, next(self._numbers), event))

    def _arrive(self, ask: Ask) -> None:
        ticket = ask.ticket()
        self._asks[ticket] = ask
        changed = self.queue.enter(ticket, self.now_s)
        self._follow([ticket, *changed])
        if ticket.state is TicketState.WAITING:
            self._at(self.now_s + 30.0, lambda: self._expire(ticket))

    def _expire(self, ticket: Ticket) -> None:
        if ticket.state is TicketState.WAITING:
            self._follow([ticket, *self.queue.expire(ticket, self.now_s)])

    def _follow(self, changed: list[Ticket]) -> None:
        changed = list(changed)
        while changed:
            ticket = changed.pop(0)
            match ticket.state:
                case TicketState.ADMITTED if ticket.replica is None:
                    self._send(ticket)
                case TicketState.RECALLED:
                    self._stop(ticket)
                    changed += [ticket, *self.queue.come_back(ticket, self.now_s)]
                case TicketState.SHED:
                    self._refuse(self._asks.pop(ticket))
        if self.queue.look_again_s < self._looks_s:
            self._looks_s = self.queue.look_again_s
            self._at(self._looks_s, self._look)

    def _look(self) -> None:
        self._looks_s = inf
        self._follow(self.queue.time_passed(self.now_s))

    def _refuse(self, ask: Ask) -> None:
        ask.refusals += 1
        if ask.refusals <= self._retries:
            self._at(self.now_s + 0.05, lambda: self._arrive(ask))

    def _send(self, ticket: Ticket) -> None:
        self.queue.redeem(ticket)
        ask = self._asks[ticket]
        able = [one for one in self.pool.replicas if one.has_room_for(ticket.resident_tokens)]
        replica = min(able, key=lambda one: (self.engines[one].queue.backlog_s(self.now_s), one.in_flight))
        replica.occupancy.enter(ticket.resident_tokens)
        ticket.replica = replica
        engine = self.engines[replica]
        engine.sent(ticket, ask, self.now_s)
        heappush(engine.ahead, (ask.serving_class if self._honours else STANDARD, next(self._numbers), ticket, ask))
        self._compute(engine)
        self.longest_engine_queue = max(self.longest_engine_queue, len(engine.ahead))

    def _compute(self, engine: Engine) -> None:
        while engine.computing is None and engine.ahead:
            _, _, ticket, ask = heappop(engine.ahead)
            if ticket.replica is engine.replica and ask.first_s is None:
                engine.computing = ticket
                self._at(self.now_s + ask.prompt / self._prefill_per_s, partial(self._computed, engine, ticket, ask))

    def _computed(self, engine: Engine, ticket: Ticket, ask: Ask) -> None:
        if engine.computing is not ticket:
            return  # stopped meanwhile
        engine.computing = None
        ask.first_s = self.now_s + OVERHEAD_S
        engine.over(ticket, ask, self.now_s)
        self._at(self.now_s + ask.answer / DECODE_PER_S, lambda: self._done(ticket, ask))
        self._compute(engine)
        self._follow(self.queue.first_byte(ticket, self.now_s))

    def _done(self, ticket: Ticket, ask: Ask) -> None:
        ask.done_s = self.now_s
        assert ticket.replica is not None
        ticket.replica.occupancy.leave(ticket.resident_tokens)
        del self._asks[ticket]
        work = ticket.demand.weights.generated * ask.answer + ask.prompt
        self._follow(self.queue.leave(ticket, self.now_s, work=work))

    def _stop(self, ticket: Ticket) -> None:
        assert ticket.replica is not None
        engine = self.engines[ticket.replica]
        engine.over(ticket, self._asks[ticket], self.now_s)
        engine.ahead = [one for one in engine.ahead if one[2] is not ticket]
        engine.ahead.sort()
        if engine.computing is ticket:
            engine.computing = None
        ticket.replica.occupancy.leave(ticket.resident_tokens)
        self._compute(engine)


def asks(
    random: Random, account: str, serving_class: ServingClass = STANDARD, *, per_s: float, seconds: float
) -> list[Ask]:
    """Requests of one account at random moments, at that rate on average."""
    made, at_s = [], 0.0
    while (at_s := at_s + random.expovariate(per_s)) < seconds:
        answer = min(1_000, 1 + round(random.expovariate(1 / 200)))
        made.append(Ask(at_s, account, serving_class, prompt=random.randint(250, 750), answer=answer))
    return made


def first_token_s(asked: Iterable[Ask], share: float) -> float:
    """That percentile of the times to the first token."""
    times = sorted(ask.first_s - ask.at_s for ask in asked if ask.first_s is not None)
    return times[min(len(times) - 1, int(share * len(times)))]


def tokens_served(asked: Iterable[Ask], *, from_s: float, until_s: float) -> float:
    """Of those that were done in that time."""
    return sum(ask.tokens for ask in asked if ask.done_s is not None and from_s <= ask.done_s < until_s)


def jain(shares: Iterable[float]) -> float:
    """Jain's index of fairness: 1 when all are equal, 1/n when one has all."""
    given = list(shares)
    return sum(given) ** 2 / (len(given) * sum(one * one for one in given))
