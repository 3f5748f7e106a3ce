"""A simulated engine: prompts computed one after another, streams side by side, memory that ends.

    waiting ── room in memory, a sequence free ──> prefill (one at a time, in order) ──> decoding ──> over

Between two events nothing about it changes but two sums: the prompt tokens still to compute of the one in prefill, and
the tokens that every stream has emitted since the engine began (all streams are equally fast, so one sum serves all: a
stream that began at sum s with n tokens to go ends at sum s + n). So an event costs the same with 1 stream and 500, and
no step of the real engine is simulated by itself. The sums are as in processor sharing by virtual time (Zhang, 1990).

An engine of ``whole_prompts`` computes all that wait at once, from where a step ends, and its streams have one token
meanwhile:

    steps      | 5 streams | 5 streams | 5 streams, prompts of a and b | 7 streams |
    submitted           a    b            c: waits for the next
"""

from collections import deque
from heapq import heappop, heappush
from math import inf

from servery.core.serving_path import ServingClass
from servery.engines.load import EngineLoad
from servery.simulation.agenda import Agenda
from servery.simulation.engines.block_lru import BlockLru
from servery.simulation.engines.engine_rates import EngineRates
from servery.simulation.engines.job import Job, JobState

_NOTHING_LEFT = 1e-6
"""Tokens: what rounding leaves of a sum that has run out."""


class SimulatedEngine:
    """``speed`` slows it (0.5: half as fast) or speeds it up. ``computed_tokens`` are prompt tokens that were not
    cached, over its life, and ``computed_s`` the time that they take at its speed, streams not counted."""

    def __init__(self, rates: EngineRates, agenda: Agenda, *, block_tokens: int) -> None:
        self.rates = rates
        self.cache = BlockLru(rates.cache_tokens // block_tokens)
        self.computed_tokens = 0
        self.computed_s = 0.0
        self._agenda = agenda
        self._block_tokens = block_tokens
        self._waiting: tuple[deque[Job], ...] = tuple(deque() for _ in ServingClass)
        self._prefilling: list[Job] = []
        self._prefill_tokens = 0.0
        self._prefill_left = 0.0
        self._prefill_rate = 0.0
        self._decoding: list[tuple[float, int, Job]] = []
        self._streams = 0
        self._emitted = 0.0
        self._emit_rate = 0.0
        self._resident_tokens = 0
        self._sequence = 0
        self._plan = 0
        self._seen_s = 0.0
        self._speed = 1.0
        self._breaking: deque[Job] = deque()
        self._hits = 0
        self._queries = 0

    @property
    def prefill_rate(self) -> float:
        """Prompt tokens per second, streams not counted."""
        return self._speed * self.rates.prefill_tokens_per_s

    @property
    def prefill_done_tokens(self) -> float:
        """How much of the prompt in hand is computed."""
        self._advance()
        return self._prefill_tokens - self._prefill_left if self._prefilling else 0.0

    def generated_tokens(self, job: Job) -> int:
        """How many ``job`` has emitted by now, from its first token on; also when it has just ended or broken."""
        self._advance()
        return min(job.request.generated_tokens, 1 + int(self._emitted - job.begins_at + _NOTHING_LEFT))

    def submit(self, job: Job) -> None:
        assert job.state is JobState.OVER, "a job is in one engine at most"
        self._advance()
        job.state = JobState.WAITING
        ahead = job.serving_class if self.rates.honours_priorities else ServingClass.STANDARD
        self._waiting[ahead].append(job)
        self._go_on()

    def abort(self, job: Job) -> None:
        """Nobody wants it any more. What of its prompt was not computed is not in the cache."""
        self._advance()
        match job.state:
            case JobState.WAITING:
                next(queue for queue in self._waiting if job in queue).remove(job)
            case JobState.PREFILL:
                self._forget_uncomputed(job)
                self._prefilling.remove(job)
                if not self.rates.whole_prompts:  # else the step that it is part of goes on
                    self._prefill_left = 0.0
                self._resident_tokens -= _resident(job)
            case JobState.DECODING:
                self._streams -= 1
                self._resident_tokens -= _resident(job)
                self._decoding = [one for one in self._decoding if one[2] is not job]
                self._decoding.sort()  # a sorted list is a heap
            case JobState.OVER:
                if job in self._breaking:
                    self._breaking.remove(job)
                return
        job.state = JobState.OVER
        self._go_on()

    def slow(self, speed: float) -> None:
        self._advance()
        self._speed = speed
        self._go_on()

    def die(self) -> None:
        """All that it has in hand breaks, and its cache is gone."""
        self._advance()
        broken = [job for queue in self._waiting for job in queue]
        broken += self._prefilling
        broken += [job for _, _, job in sorted(self._decoding)]
        for queue in self._waiting:
            queue.clear()
        self._prefilling = []
        self._prefill_left = 0.0
        self._decoding = []
        self._streams = self._resident_tokens = 0
        self.cache.clear()
        self._go_on()
        for job in broken:
            job.state = JobState.OVER
        self._breaking.extend(broken)
        while self._breaking:  # who is told may abort others
            self._breaking.popleft().broke()

    def load(self) -> EngineLoad:
        """What its metrics would say now."""
        self._advance()
        waiting = sum(map(len, self._waiting))
        kv_tokens = self.rates.kv_tokens
        return EngineLoad(
            running=self._streams + len(self._prefilling),
            waiting=waiting,
            kv_usage=None if kv_tokens is None else min(1.0, self._resident_tokens / kv_tokens),
            prefix_cache_hits=self._hits,
            prefix_cache_queries=self._queries,
            scraped_at_s=self._agenda.clock.now_s,
        )

    def check_integrity(self) -> None:
        assert self._streams == len(self._decoding), "streams are counted"
        in_hand = [job for _, _, job in self._decoding]
        in_hand += self._prefilling
        assert self._resident_tokens == sum(map(_resident, in_hand)), "memory is counted"
        assert all(job.state is JobState.DECODING for _, _, job in self._decoding), "streams decode"

    def _advance(self) -> None:
        """Bring the two sums to the present."""
        now_s = self._agenda.clock.now_s
        passed_s = now_s - self._seen_s
        self._seen_s = now_s
        self._prefill_left -= passed_s * self._prefill_rate
        self._emitted += passed_s * self._emit_rate

    def _due(self, plan: int) -> None:
        if plan == self._plan:  # else it was planned anew meanwhile
            self._advance()
            self._go_on()

    def _go_on(self) -> None:
        """Finish what is done, begin what can begin, and plan the next event."""
        computed: list[Job] = []
        if self._prefill_left <= _NOTHING_LEFT:
            computed, self._prefilling, self._prefill_left = self._prefilling, [], 0.0
        for job in computed:
            self._prefilled(job)
        ended: list[Job] = []
        decoding = self._decoding
        while decoding and decoding[0][0] - self._emitted <= _NOTHING_LEFT:
            job = heappop(decoding)[2]
            self._streams -= 1
            self._resident_tokens -= _resident(job)
            job.state = JobState.OVER
            ended.append(job)
        if self._prefill_left == 0.0:
            self._begin_next()
        self._plan_next()
        for job in computed:  # told last, because who is told may submit the next at once
            if job.state is not JobState.OVER or job in ended:
                job.first_token()
        for job in ended:
            job.ended()

    def _prefilled(self, job: Job) -> None:
        job.state = JobState.DECODING
        self._sequence += 1
        self._streams += 1
        job.begins_at = self._emitted
        heappush(self._decoding, (self._emitted + job.request.generated_tokens - 1, self._sequence, job))

    @property
    def _step_left(self) -> float:
        """The part of a token that the streams have still to emit in this step."""
        left = -self._emitted % 1.0 if self._streams else 0.0
        return 0.0 if left > 1.0 - _NOTHING_LEFT else left

    def _begin_next(self) -> None:
        self._prefill_tokens = 0.0
        whole = self.rates.whole_prompts
        if whole and self._step_left > _NOTHING_LEFT:
            return
        while (job := self._take_next()) is not None:
            self._begin(job)
            if not whole:
                break
        self._prefill_left = self._prefill_tokens

    def _take_next(self) -> Job | None:
        """Who waits and finds a sequence and memory."""
        queue = next((one for one in self._waiting if one), None)
        running = self._streams + len(self._prefilling)
        if queue is None or running >= self.rates.sequences:
            return None
        needed, kv_tokens = _resident(queue[0]), self.rates.kv_tokens
        if kv_tokens is not None and running and self._resident_tokens + needed > kv_tokens:
            return None
        return queue.popleft()

    def _begin(self, job: Job) -> None:
        request = job.request
        cached = min(self._block_tokens * self.cache.held(request.blocks), request.prompt_tokens - 1)
        self.cache.use(request.blocks)
        job.state = JobState.PREFILL
        job.cached_tokens = cached
        self._hits += cached
        self._queries += request.prompt_tokens
        self.computed_tokens += request.prompt_tokens - cached
        self.computed_s += (request.prompt_tokens - cached) / self.prefill_rate
        self._prefilling.append(job)
        self._prefill_tokens += request.prompt_tokens - cached
        self._resident_tokens += _resident(job)

    def _forget_uncomputed(self, job: Job) -> None:
        whole = self.rates.whole_prompts
        computed = job.cached_tokens if whole else job.request.prompt_tokens - self._prefill_left
        self.cache.drop(job.request.blocks[int(computed // self._block_tokens) :])

    def _plan_next(self) -> None:
        self._set_rates()
        wait_s = inf
        if self._prefill_left:
            wait_s = self._prefill_left / self._prefill_rate
        elif self.rates.whole_prompts and any(self._waiting) and self._step_left > _NOTHING_LEFT:
            wait_s = self._step_left / self._emit_rate
        if self._decoding:
            wait_s = min(wait_s, (self._decoding[0][0] - self._emitted) / self._emit_rate)
        self._plan += 1
        if wait_s < inf:
            plan = self._plan
            self._agenda.after(max(0.0, wait_s), lambda: self._due(plan))

    def _set_rates(self) -> None:
        rates, speed, streams = self.rates, self._speed, self._streams
        prefills = self._prefill_left > 0.0
        chunk = self._prefill_tokens if rates.whole_prompts else rates.prefill_chunk_tokens
        step_s = rates.step_s(streams) if streams else 0.0
        if chunk is not None and prefills:
            step_s += chunk / rates.prefill_tokens_per_s
            self._prefill_rate = speed * chunk / step_s
        else:
            self._prefill_rate = speed * rates.prefill_tokens_per_s if prefills else 0.0
        self._emit_rate = speed / step_s if streams else 0.0


def _resident(job: Job) -> int:
    return job.request.prompt_tokens + job.request.generated_tokens
