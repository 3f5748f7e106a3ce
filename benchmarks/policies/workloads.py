"""Made-up traffic of many kinds, for fleets of many sizes, none of which anything was tuned to by itself.

Each begins with nobody and swells, so that what is measured is not how a fleet of empty caches fills at once.
"""

from math import pi, sin
from random import Random

import msgspec

from benchmarks.policies.merged_trace import MergedTrace
from benchmarks.policies.uneven_trace import UnevenTrace
from servery.simulation.traces.request import Trace
from servery.simulation.traces.synthetic import Kind, SyntheticTrace, Traffic


class Workload(msgspec.Struct, frozen=True):
    """``requests_per_s`` of such traffic by so many accounts, sent to ``replicas`` whose caches hold ``cache_tokens``
    each, and which are as fast as ``speeds`` say in turns. Rates change every ten seconds by ``rates``, if given.
    ``beside`` it others ask, of whose workloads only the traffic counts."""

    name: str
    kind: Kind
    requests_per_s: float
    traffic: Traffic
    accounts: int = 1
    requests: int = 6_000
    replicas: int = 8
    cache_tokens: int = 1_024_000
    speeds: tuple[float, ...] = (1.0,)
    rates: tuple[float, ...] = ()
    seed: int = 301
    beside: tuple["Workload", ...] = ()

    def trace(self, *, requests: int, draw: int = 0) -> Trace:
        """As many requests, of all together, drawn for the ``draw``-th time: each draw is another trace of its kind."""
        parts = (self, *self.beside)
        if len(parts) > 1:
            per_s = sum(one.requests_per_s for one in parts)
            return MergedTrace([one.alone(round(requests * one.requests_per_s / per_s), draw) for one in parts])
        return self.alone(requests, draw)

    def alone(self, requests: int, draw: int) -> Trace:
        """Without those beside it."""
        made = SyntheticTrace(
            self.kind,
            requests=requests,
            requests_per_s=self.requests_per_s,
            accounts=self.accounts,
            seed=self.seed + draw,
            traffic=self.traffic,
            begins_empty=True,
        )
        return UnevenTrace(made, self.rates, period_s=10.0) if self.rates else made


def bursts() -> tuple[float, ...]:
    """Rates that vary more than their mean, as BurstGPT found them: gamma-distributed, of the mean 1."""
    random = Random("bursts 301")  # noqa: S311 - no secret hangs on made-up traffic
    return tuple([max(0.05, random.gammavariate(0.7, 1 / 0.7)) for _ in range(200)])


def days() -> tuple[float, ...]:
    """Days of four minutes."""
    return tuple([1.0 + 0.8 * sin(2 * pi * (hour + 0.5) / 24) for hour in range(24)])


def workloads() -> list[Workload]:
    return [*_of_documents(), *_of_sessions(), *_of_accounts(), *_uneven(), *_held_out()]


def _of_documents() -> list[Workload]:
    several = Traffic(account_tokens=256, documents=2, document_tokens=4_096, turns=2, new_tokens=300)
    few_shot = Traffic(
        documents=1, document_tokens=3_072, shelf=500, new_tokens=250, answer_tokens=20, siblings=40, burst_s=4.0
    )
    hot = Traffic(account_tokens=512, documents=3, shelf=30, new_tokens=120, answer_tokens=150)
    few = Traffic(account_tokens=512, documents=1, document_tokens=20_480, shelf=60, new_tokens=150)
    return [
        Workload("documents", Kind.RAG, 12.5, several, accounts=4),
        Workload("few-shot batches, 4 replicas", Kind.RAG, 9.0, few_shot, accounts=5, replicas=4),
        Workload("hot documents, small caches", Kind.RAG, 40.0, hot, accounts=2, cache_tokens=200_000),
        Workload("few long documents", Kind.RAG, 80.0, few),
    ]


def _of_sessions() -> list[Workload]:
    swarm = Traffic(
        common_tokens=4_096, account_tokens=4_096, turns=20, new_tokens=400, answer_tokens=60, pause_s=1.5, siblings=6
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
        Workload("swarms of agents", Kind.AGENTS, 40.0, swarm, accounts=30, requests=10_000),
        Workload("agents, 2 replicas", Kind.AGENTS, 5.5, agents, accounts=60, replicas=2),
        Workload(
            "chat, 32 replicas", Kind.CHAT, 90.0, chat, accounts=60, requests=16_000, replicas=32, cache_tokens=512_000
        ),
        Workload(
            "code completion, unlike replicas",
            Kind.RAG,
            30.0,
            code,
            accounts=40,
            replicas=4,
            cache_tokens=512_000,
            speeds=(1.0, 1.0, 0.5, 1.6),
        ),
    ]


def _of_accounts() -> list[Workload]:
    many = Traffic(account_tokens=2_048, turns=3, new_tokens=1_500, answer_tokens=300, pause_s=40.0)
    giant = Traffic(account_tokens=6_144, turns=4, new_tokens=600, pause_s=20.0, loudness=150)
    spread = Traffic(account_tokens=1_024, turns=2, new_tokens=2_500, answer_tokens=300, spread=1.8)
    alone = Traffic(new_tokens=2_400, answer_tokens=300)
    return [
        Workload("many tenants", Kind.CHAT, 17.0, many, accounts=400),
        Workload("a giant among many", Kind.NOISY, 30.0, giant, accounts=150),
        Workload("lengths of a heavy tail", Kind.CHAT, 14.0, spread, accounts=50),
        Workload("nothing shared", Kind.RANDOM, 19.0, alone, accounts=10),
    ]


def _uneven() -> list[Workload]:
    chat = Traffic(account_tokens=512, turns=5, new_tokens=1_500, pause_s=15.0)
    prompts = Traffic(account_tokens=4_096, turns=4, new_tokens=600, answer_tokens=300, pause_s=20.0)
    return [
        Workload("bursts", Kind.CHAT, 14.0, chat, accounts=20, rates=bursts()),
        Workload("days", Kind.CHAT, 23.0, prompts, accounts=50, rates=days()),
    ]


def _held_out() -> list[Workload]:
    """Made up after routing was as it is, to see how it does. For the second it was changed since (decision 0040), and
    the last two were made up after that."""
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
    handbooks = Traffic(account_tokens=512, documents=1, document_tokens=30_720, shelf=12, turns=3, new_tokens=200)
    repositories = Traffic(
        account_tokens=1_024, documents=2, document_tokens=10_240, shelf=15, turns=3, new_tokens=300, pause_s=8.0
    )
    beside = (
        Workload("long", Kind.CHAT, 3.0, long, accounts=20, seed=302),
        Workload("papers", Kind.RAG, 6.0, papers, accounts=5, seed=303),
    )
    return [
        Workload("tool sessions in bursts", Kind.AGENTS, 45.0, tools, accounts=40, requests=10_000, rates=bursts()),
        Workload("huge documents, three accounts", Kind.RAG, 18.0, huge, accounts=3, cache_tokens=512_000),
        Workload("all sizes at once", Kind.CHAT, 30.0, small, accounts=30, cache_tokens=512_000, beside=beside),
        Workload("handbooks, 4 replicas", Kind.RAG, 12.0, handbooks, accounts=2, replicas=4, cache_tokens=512_000),
        Workload("teams and their code, 16 replicas", Kind.RAG, 60.0, repositories, accounts=12, replicas=16),
    ]
