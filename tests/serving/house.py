"""The request path with real parts and fake engines."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from tests.fakes.fake_engine import FakeEngine
from tests.fakes.recording_reply import RecordingReply

from servery.admission.gate import Gate
from servery.admission.policy import AdmissionPolicy
from servery.billing.billing_month import BillingMonth
from servery.billing.budgets import Budgets
from servery.billing.charge import Charge
from servery.billing.price_book import PriceBook
from servery.billing.spending import Spending
from servery.catalog.reading import read_catalog
from servery.control.verify_books import verify
from servery.core.caller import Caller
from servery.core.clock import ManualClock
from servery.core.ids import RequestIds
from servery.core.inference import Embedding, Generation, InferenceRequest
from servery.core.serving_path import Endpoint
from servery.engines.client import EngineClient
from servery.engines.connection_limits import ConnectionLimits
from servery.engines.exchange_limits import ExchangeLimits
from servery.fleet.replica import Replica
from servery.fleet.replica_pool import ReplicaPool
from servery.limits.aside_limits import AsideLimits
from servery.limits.ceilings import Ceilings
from servery.limits.estimate import Estimators
from servery.limits.limiter import Limiter
from servery.limits.rules import LimitRules
from servery.metering.journal import Journal
from servery.metering.meter import Meter
from servery.metering.usage_record import UsageRecord
from servery.routing.placements import Placements
from servery.routing.router import Router
from servery.serving.counting import Counting
from servery.serving.dispatch import Dispatch
from servery.serving.holds import Holds
from servery.serving.pipeline import Pipeline
from servery.serving.pipeline_parts import PipelineParts
from servery.store.database import Database
from servery.tenancy.accounts import Accounts

CHAT = "accounts/servery/models/chat"
PLAIN = "accounts/servery/models/plain"
HEDGED = "accounts/servery/models/hedged"
HEDGED_LATE = "accounts/servery/models/hedged-late"
SLOTTED = "accounts/servery/models/slotted"
EMBED = "accounts/servery/models/embed"
FAST = "accounts/servery/routers/fast"

CATALOG = """
pools:
  pair:
    engine: {{kind: url, family: llama.cpp, urls: ["{first}", "{second}"], served_model: fake}}
    concurrency: 2
    queue: 2
  hedged:
    engine: {{kind: url, family: llama.cpp, urls: ["{first}", "{second}"], served_model: fake}}
    concurrency: 2
    queue: 2
    hedge_after_s: 0.02
  hedged-late:
    engine: {{kind: url, family: llama.cpp, urls: ["{first}", "{second}"], served_model: fake}}
    concurrency: 2
    queue: 2
    hedge_after_s: 600
  solo:
    engine: {{kind: url, family: vllm, urls: ["{first}"], served_model: fake}}
    concurrency: 1
    queue: 1
  slots:
    engine: {{kind: embedded, model: demo, slots: 2, context_length: 512}}
    replicas: 1
    concurrency: 2
models:
  chat:
    pool: pair
    context_length: 4096
    capabilities: [chat, completions, tools, structured_output]
    sampling: {{temperature: 0.2}}
    prices:
      standard: {{input: 0.10, cached_input: 0.03, output: 0.40}}
      priority: {{input: 0.15, cached_input: 0.05, output: 0.60}}
    created: 2026-01-01
  plain:
    pool: solo
    context_length: 1024
    capabilities: [chat]
    limits: {{prompt: 1000, uncached_prompt: 500, generated: 400}}
    prices: {{standard: {{input: 0.10, output: 0.40}}}}
    created: 2026-01-01
  hedged:
    pool: hedged
    context_length: 4096
    capabilities: [chat]
    prices:
      standard: {{input: 0.10, cached_input: 0.03, output: 0.40}}
      priority: {{input: 0.15, cached_input: 0.05, output: 0.60}}
    created: 2026-01-01
  hedged-late:
    pool: hedged-late
    context_length: 4096
    capabilities: [chat]
    prices: {{standard: {{input: 0.10, output: 0.40}}}}
    created: 2026-01-01
  slotted:
    pool: slots
    context_length: 512
    capabilities: [chat]
    prices: {{standard: {{input: 0.10, output: 0.40}}}}
    created: 2026-01-01
  embed:
    pool: solo
    context_length: 1024
    capabilities: [embeddings]
    prices: {{standard: {{input: 0.02}}}}
    created: 2026-01-01
routers:
  fast:
    model: chat
    pool: solo
    serving_path: fast
    prices: {{input: 0.20, cached_input: 0.10, output: 0.80}}
"""

ACME = Caller("acme", "key_acme")
GLOBEX = Caller("globex", "key_globex")
HELLO = Generation(messages=b'[{"role":"user","content":"Who are you?"}]', max_tokens=50)


def asked(
    model: str = CHAT, *work: Generation, stream: bool = True, priority: bool = False, choices_per_prompt: int = 1
) -> InferenceRequest:
    return InferenceRequest(
        request_id=RequestIds().new(),
        endpoint=Endpoint.CHAT,
        model=model,
        work=work or (HELLO,),
        stream=stream,
        priority=priority,
        choices_per_prompt=choices_per_prompt,
    )


def asked_to_embed(*inputs: str) -> InferenceRequest:
    return InferenceRequest(
        request_id=RequestIds().new(), endpoint=Endpoint.EMBEDDINGS, model=EMBED, work=(Embedding(inputs=inputs),)
    )


class Ended:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.records: list[UsageRecord] = []
        self.charges: list[Charge] = []

    def all(self) -> list[tuple[UsageRecord, Charge]]:
        return list(zip(self.records, self.charges, strict=True))

    def ended(self, record: UsageRecord, charge: Charge) -> None:
        self.records.append(record)
        self.charges.append(charge)


class House:
    """``first`` and ``second`` serve the pool ``pair``; ``first`` also the others. Time stands still, so limits do not
    refill."""

    def __init__(self, database: Database, first: FakeEngine, second: FakeEngine) -> None:
        self.first, self.second, self.database = first, second, database
        self.clock = ManualClock()
        self.ended = Ended()
        text = CATALOG.format(first=first.url, second=second.url)
        today = datetime.fromtimestamp(self.clock.wall_ns() / 1e9, UTC).date()
        self.catalog = read_catalog(text, source="test", directory=Path(), today=today)
        self.pools = {name: ReplicaPool(spec, self.clock) for name, spec in self.catalog.pools.items()}
        self.gates = {
            name: Gate(pool, self.clock, policy=AdmissionPolicy(wait_limit_s=5.0)) for name, pool in self.pools.items()
        }
        self.router = Router(self.clock, slot_isolation=True)
        self.placements = Placements()
        self.limiter = Limiter(self.clock, random=Random(1).random)
        self.estimators = Estimators()
        self.journal = Journal.in_memory()
        self.spending = Spending(database, self.clock, writer="here")
        self.budgets = Budgets(self.spending, self.clock)
        self.holds = Holds(self.budgets)
        self.meter = Meter(database, self.clock, self.journal, self.spending)
        self.replies: list[RecordingReply] = []

    async def open(self) -> None:
        for account in (ACME.account, GLOBEX.account, "initech"):
            await Accounts(self.database, self.clock).open(account)
        self.prices = PriceBook(self.catalog, self.database, self.clock)
        await self.prices.refresh()
        self.dispatch = Dispatch(
            pools=self.pools,
            gates=self.gates,
            router=self.router,
            estimators=self.estimators,
            meter=self.meter,
            placements=self.placements,
        )
        parts = PipelineParts(
            catalog=self.catalog,
            pools=self.pools,
            limiter=self.limiter,
            lender=None,
            ceilings=Ceilings(),
            holds=self.holds,
            estimators=self.estimators,
            dispatch=self.dispatch,
            meter=self.meter,
            prices=self.prices,
            observer=self.ended,
            clock=self.clock,
        )
        self.pipeline = Pipeline(parts)
        self.counting = Counting(parts, AsideLimits(self.clock, random=Random(1).random, rules=LimitRules()))
        for replica, engine in self.seats():
            replica.up(self._client(engine, replica))

    def seats(self) -> list[tuple[Replica, FakeEngine]]:
        twice = [
            seat
            for name in ("pair", "hedged", "hedged-late")
            for seat in zip(self.pools[name].replicas, (self.first, self.second), strict=True)
        ]
        return [*twice, *((self.pools[name].replicas[0], self.first) for name in ("solo", "slots"))]

    def _client(self, engine: FakeEngine, replica: Replica) -> EngineClient:
        family = self.catalog.pools[replica.name.split("/")[0]].engine
        return EngineClient(
            engine.address(getattr(family, "family", engine.address().family)),
            connection_limits=ConnectionLimits(),
            exchange_limits=ExchangeLimits(first_byte_timeout_s=60.0, chunk_timeout_s=60.0, whole_timeout_s=60.0),
            clock=self.clock,
        )

    def begin(self, request: InferenceRequest, caller: Caller = ACME) -> tuple[asyncio.Task[None], RecordingReply]:
        reply = RecordingReply()
        self.replies.append(reply)
        return asyncio.create_task(self.pipeline.serve(caller, request, reply)), reply

    async def serve(self, request: InferenceRequest, caller: Caller = ACME) -> RecordingReply:
        task, reply = self.begin(request, caller)
        await task
        return reply

    async def close(self) -> None:
        for replica, _ in self.seats():
            replica.close()

    async def check(self) -> None:
        """What holds after any sequence of requests that are over."""
        await self.database.write(lambda connection: None)  # all that was queued before is written
        report = verify(self.database)
        assert report.holds, report.findings
        assert not self.journal.open_ids, "every request that was journalled has ended"
        assert report.charged_nanodollars == sum(charge.nanodollars for charge in self.ended.charges)
        assert report.usage_records == len(self.ended.records)
        for pool in self.pools.values():
            assert [replica.in_flight for replica in pool.replicas] == [0] * len(pool.replicas)
        for gate in self.gates.values():
            assert (gate.inside, gate.waiting) == (0, 0)
        assert all(reply.flows == [] for reply in self.replies), "no client holds an engine back"
        self._check_limits()
        await self._check_money()

    async def _check_money(self) -> None:
        """What memory knows of each account's money is what the books say; nothing is held any more."""
        assert self.holds.running == 0, "no hold outlives its request"
        standings = await self.spending.read(
            [ACME.account, GLOBEX.account], BillingMonth.of(self.clock.wall_ns()).number
        )
        for account, standing in standings.items():
            charged = sum(charge.nanodollars for one, charge in self.ended.all() if one.account == account)
            assert standing.charged_nanodollars == charged
            if self.budgets.knows(account):
                room = self.budgets._purses[account].room_nanodollars
                assert room == standing.limit_nanodollars - standing.spent_nanodollars

    def _check_limits(self) -> None:
        """What is left of each limit is the limit without what was charged, token for token."""
        assert self.limiter.open_grants == 0, "no reservation outlives its request"
        for account in (ACME.account, GLOBEX.account):
            for name in (CHAT, PLAIN, HEDGED, SLOTTED, EMBED, FAST):
                reading = self.limiter.reading(account, name)
                if reading is None:
                    continue
                used = [one.usage for one in self.ended.records if (one.account, one.model) == (account, name)]
                for limit, remaining, tokens in (
                    (reading.prompt, reading.prompt_remaining, sum(usage.prompt_tokens for usage in used)),
                    (
                        reading.uncached_prompt,
                        reading.uncached_prompt_remaining,
                        sum(usage.uncached_prompt_tokens for usage in used),
                    ),
                    (reading.generated, reading.generated_remaining, sum(usage.generated_tokens for usage in used)),
                ):
                    assert remaining == max(0, limit - tokens), (account, name)
