"""Made-up traffic of many kinds, for fleets of many sizes, none of which anything was tuned to by itself.

Each begins with nobody and swells, so that what is measured is not how a fleet of empty caches fills at once.
"""

from collections.abc import Iterator
from heapq import merge
from math import pi, sin
from random import Random

import msgspec

from servery.simulation.traces.request import Request, Trace
from servery.simulation.traces.synthetic import Kind, SyntheticTrace, Traffic

_UNLIKE = (1.0, 1.0, 0.5, 1.6)


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """``requests_per_s`` of such traffic by so many accounts, sent to ``replicas`` whose caches hold ``cache_tokens``
    each, and which are as fast as ``speeds`` say in turns. Rates change every ten seconds by ``rates``, if given.
    ``beside`` it others ask, of whose workloads only the traffic counts."""

    name: str
    kind: Kind
    traffic: Traffic
    requests_per_s: float
    accounts: int = 1
    requests: int = 6_000
    replicas: int = 8
    cache_tokens: int = 1_024_000
    speeds: tuple[float, ...] = (1.0,)
    rates: tuple[float, ...] = ()
    seed: int = 301
    beside: tuple["Workload", ...] = ()

    def trace(self, *, requests: int) -> Trace:
        """As many requests, of all together."""
        parts = (self, *self.beside)
        if len(parts) > 1:
            per_s = sum(one.requests_per_s for one in parts)
            return MergedTrace([one.alone(round(requests * one.requests_per_s / per_s)) for one in parts])
        return self.alone(requests)

    def alone(self, requests: int) -> Trace:
        """Without those beside it."""
        made = SyntheticTrace(
            self.kind,
            requests=requests,
            requests_per_s=self.requests_per_s,
            accounts=self.accounts,
            seed=self.seed,
            traffic=self.traffic,
            begins_empty=True,
        )
        return UnevenTrace(made, self.rates, period_s=10.0) if self.rates else made


class MergedTrace:
    """All of ``traces``, whose accounts have nothing in common."""

    _SALT = 1 << 90

    def __init__(self, traces: list[Trace]) -> None:
        self._traces = traces
        self.block_tokens = traces[0].block_tokens

    def requests(self) -> Iterator[Request]:
        return merge(*map(self._marked, range(len(self._traces))), key=lambda one: one.arrives_s)

    def _marked(self, number: int) -> Iterator[Request]:
        for one in self._traces[number].requests():
            yield msgspec.structs.replace(
                one,
                account=f"{number}-{one.account}",
                session=f"{number}-{one.session}",
                blocks=tuple([block + number * self._SALT for block in one.blocks]),
            )


class UnevenTrace:
    """``trace`` as it were if its rate changed: in each period its own time passes at the next of ``rates``, over and
    over."""

    def __init__(self, trace: Trace, rates: tuple[float, ...], *, period_s: float) -> None:
        self._trace = trace
        self._rates = rates
        self._period_s = period_s

    @property
    def block_tokens(self) -> int:
        return self._trace.block_tokens

    def requests(self) -> Iterator[Request]:
        period, began_s = 0, 0.0
        rate = self._rates[0]
        for request in self._trace.requests():
            while request.arrives_s > began_s + rate * self._period_s:
                began_s += rate * self._period_s
                period += 1
                rate = self._rates[period % len(self._rates)]
            arrives_s = period * self._period_s + (request.arrives_s - began_s) / rate
            yield msgspec.structs.replace(request, arrives_s=arrives_s)


def bursts(seed: int) -> tuple[float, ...]:
    """Rates that vary more than their mean, as BurstGPT found them: gamma-distributed, of the mean 1."""
    random = Random(f"bursts {seed}")  # noqa: S311 - no secret hangs on made-up traffic
    return tuple([max(0.05, random.gammavariate(0.7, 1 / 0.7)) for _ in range(200)])


def days() -> tuple[float, ...]:
    """Days of four minutes."""
    return tuple([1.0 + 0.8 * sin(2 * pi * (hour + 0.5) / 24) for hour in range(24)])


def workloads() -> list[Workload]:
    return [*_of_documents(), *_of_sessions(), *_of_accounts(), *_uneven(), *_held_out()]


def _of_documents() -> list[Workload]:
    few_shot = Traffic(
        documents=1, document_tokens=3_072, shelf=500, new_tokens=250, answer_tokens=20, siblings=40, burst_s=4.0
    )
    documents = Traffic(account_tokens=256, documents=2, document_tokens=4_096, turns=2, new_tokens=300)
    hot = Traffic(account_tokens=512, documents=3, shelf=30, new_tokens=120, answer_tokens=150)
    few = Traffic(account_tokens=512, documents=1, document_tokens=20_480, shelf=60, new_tokens=150)
    return [
        Workload(name="documents", kind=Kind.RAG, traffic=documents, requests_per_s=12.5, accounts=4),
        Workload(
            name="few-shot batches, 4 replicas",
            kind=Kind.RAG,
            traffic=few_shot,
            requests_per_s=9.0,
            accounts=5,
            replicas=4,
        ),
        Workload(
            name="hot documents, small caches",
            kind=Kind.RAG,
            traffic=hot,
            requests_per_s=40.0,
            accounts=2,
            cache_tokens=200_000,
        ),
        Workload(name="few long documents", kind=Kind.RAG, traffic=few, requests_per_s=80.0),
    ]


def _of_sessions() -> list[Workload]:
    swarm = Traffic(
        common_tokens=4_096,
        account_tokens=4_096,
        turns=20,
        new_tokens=400,
        answer_tokens=60,
        pause_s=1.5,
        siblings=6,
    )
    agents = Traffic(common_tokens=8_192, turns=15, new_tokens=900, answer_tokens=150, pause_s=5.0)
    chat = Traffic(account_tokens=2_048, turns=6, new_tokens=400, answer_tokens=300, pause_s=30.0)
    code = Traffic(
        account_tokens=1_024,
        documents=1,
        document_tokens=6_144,
        shelf=10,
        turns=30,
        new_tokens=150,
        answer_tokens=40,
        pause_s=4.0,
    )
    return [
        Workload(
            name="swarms of agents",
            kind=Kind.AGENTS,
            traffic=swarm,
            requests_per_s=40.0,
            accounts=30,
            requests=10_000,
        ),
        Workload(
            name="agents, 2 replicas", kind=Kind.AGENTS, traffic=agents, requests_per_s=5.5, accounts=60, replicas=2
        ),
        Workload(
            name="chat, 32 replicas",
            kind=Kind.CHAT,
            traffic=chat,
            requests_per_s=90.0,
            accounts=60,
            requests=16_000,
            replicas=32,
            cache_tokens=512_000,
        ),
        Workload(
            name="code completion, unlike replicas",
            kind=Kind.RAG,
            traffic=code,
            requests_per_s=30.0,
            accounts=40,
            replicas=4,
            cache_tokens=512_000,
            speeds=_UNLIKE,
        ),
    ]


def _of_accounts() -> list[Workload]:
    many = Traffic(account_tokens=2_048, turns=3, new_tokens=1_500, answer_tokens=300, pause_s=40.0)
    giant = Traffic(account_tokens=6_144, turns=4, new_tokens=600, pause_s=20.0, loudness=150)
    spread = Traffic(account_tokens=1_024, turns=2, new_tokens=2_500, answer_tokens=300, spread=1.8)
    alone = Traffic(new_tokens=2_400, answer_tokens=300)
    return [
        Workload(name="many tenants", kind=Kind.CHAT, traffic=many, requests_per_s=17.0, accounts=400),
        Workload(name="a giant among many", kind=Kind.NOISY, traffic=giant, requests_per_s=30.0, accounts=150),
        Workload(name="lengths of a heavy tail", kind=Kind.CHAT, traffic=spread, requests_per_s=14.0, accounts=50),
        Workload(name="nothing shared", kind=Kind.RANDOM, traffic=alone, requests_per_s=19.0, accounts=10),
    ]


def _uneven() -> list[Workload]:
    chat = Traffic(account_tokens=512, turns=5, new_tokens=1_500, pause_s=15.0)
    prompts = Traffic(account_tokens=4_096, turns=4, new_tokens=600, answer_tokens=300, pause_s=20.0)
    return [
        Workload(name="bursts", kind=Kind.CHAT, traffic=chat, requests_per_s=14.0, accounts=20, rates=bursts(seed=301)),
        Workload(name="days", kind=Kind.CHAT, traffic=prompts, requests_per_s=23.0, accounts=50, rates=days()),
    ]


def _held_out() -> list[Workload]:
    """Made up after routing was as it is, to see how it does."""
    tools = Traffic(
        common_tokens=6_144,
        account_tokens=2_048,
        turns=40,
        new_tokens=350,
        answer_tokens=60,
        pause_s=1.0,
        siblings=2,
        spread=1.2,
    )
    huge = Traffic(
        account_tokens=1_024, documents=1, document_tokens=49_152, shelf=25, turns=4, new_tokens=250, pause_s=15.0
    )
    small = Traffic(account_tokens=512, turns=5, new_tokens=200, answer_tokens=150, pause_s=10.0)
    long = Traffic(account_tokens=1_024, turns=2, new_tokens=6_000, answer_tokens=400, spread=2.0, pause_s=30.0)
    papers = Traffic(account_tokens=256, documents=1, document_tokens=8_192, shelf=100, turns=2, new_tokens=150)
    return [
        Workload(
            name="tool sessions in bursts",
            kind=Kind.AGENTS,
            traffic=tools,
            requests_per_s=45.0,
            accounts=40,
            requests=10_000,
            rates=bursts(seed=301),
        ),
        Workload(
            name="huge documents, three accounts",
            kind=Kind.RAG,
            traffic=huge,
            requests_per_s=18.0,
            accounts=3,
            cache_tokens=512_000,
        ),
        Workload(
            name="all sizes at once",
            kind=Kind.CHAT,
            traffic=small,
            requests_per_s=30.0,
            accounts=30,
            cache_tokens=512_000,
            beside=(
                Workload(name="long", kind=Kind.CHAT, traffic=long, requests_per_s=3.0, accounts=20, seed=302),
                Workload(name="papers", kind=Kind.RAG, traffic=papers, requests_per_s=6.0, accounts=5, seed=303),
            ),
        ),
    ]
