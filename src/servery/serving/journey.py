"""What one request has gathered on its way so far: its clock, its answers' tallies, and how it is going."""

from collections.abc import Callable

from servery.billing.budget import Hold
from servery.catalog.offer import Offer
from servery.core.acyclic import acyclic
from servery.core.hedge_outcome import HedgeOutcome
from servery.core.inference import EngineReport, Generation, InferenceRequest, Work
from servery.core.nearest import nearest
from servery.core.usage import Usage
from servery.core.value import changed
from servery.engines.answer_reader import NO_EVENTS, EventSink
from servery.engines.tally import Tally
from servery.routing.seat import Seat
from servery.routing.wish import Wish
from servery.serving.reply import Flow, Reply, StreamStart
from servery.serving.served import Served


@acyclic
class Branch:
    """One engine call of the request: one element of its work."""

    __slots__ = ("cached_tokens", "delivered", "number", "prompt", "prompt_tokens_guess", "tally", "wish", "work")

    def __init__(self, number: int, work: Work, prompt: bytes) -> None:
        self.number = number
        self.work = work
        self.prompt = prompt
        self.wish: Wish | None = None
        self.cached_tokens = 0.0
        self.prompt_tokens_guess = 0
        self.tally: Tally | None = None
        self.delivered = False

    @property
    def last_message(self) -> int | None:
        """Where in the prompt, which ends with its messages, the last of them begins: 0 where it has none, None where
        that was not told."""
        work = self.work
        if not isinstance(work, Generation) or work.messages is None:
            return 0
        return None if work.last_message is None else len(self.prompt) - len(work.messages) + work.last_message

    @property
    def is_in_own_form(self) -> bool:
        """Whether it may be passed on in the client's own form, and not in OpenAI's."""
        return isinstance(self.work, Generation) and self.work.anthropic is not None

    def in_openai_form(self) -> None:
        """Pass on nothing in the client's own form any more: an engine's trouble with that is not told apart from
        others, and OpenAI's form tells what is wrong with a request."""
        if isinstance(self.work, Generation) and self.work.anthropic is not None:
            self.work = changed(self.work, anthropic=None)


class Journey:
    """Times are seconds of ``now_s``, the clock's monotonic reading, kept for the first branch that reaches each point.
    ``hedge``: how the second attempt ended, if there was one."""

    __slots__ = (
        "_hold",
        "_now_s",
        "_reply",
        "_started_s",
        "branches",
        "dispatched",
        "hedge",
        "predicted_cached_prompt_tokens",
        "prompt_bytes",
        "queue_wait_s",
        "replica",
        "request",
        "time_to_first_token_s",
    )

    def __init__(
        self,
        request: InferenceRequest,
        work: tuple[Work, ...],
        prompts: list[bytes],
        reply: Reply,
        now_s: Callable[[], float],
    ) -> None:
        self.request = request
        self.branches: list[Branch] = []
        self.prompt_bytes = 0
        for number, one in enumerate(work):
            prompt = prompts[number]
            self.branches.append(Branch(number, one, prompt))
            if number % request.choices_per_prompt == 0:
                self.prompt_bytes += len(prompt)
        self.dispatched = False
        self.hedge: HedgeOutcome | None = None
        self.replica = ""
        self.queue_wait_s = 0.0
        self.predicted_cached_prompt_tokens: int | None = None
        self.time_to_first_token_s: float | None = None
        self._hold: Hold | None = None
        self._now_s = now_s
        self._started_s = now_s()
        self._reply = reply

    @property
    def elapsed_s(self) -> float:
        return self._now_s() - self._started_s

    @property
    def generated_tokens(self) -> int:
        """What was seen to pass by now, of all branches."""
        return sum(branch.tally.frames for branch in self.branches if branch.tally is not None)

    @property
    def stream_began(self) -> bool:
        return self.request.stream and self.time_to_first_token_s is not None

    def seated(self, seat: Seat, *, queue_wait_s: float) -> None:
        if not self.replica or len(self.branches) == 1:
            self.replica = seat.replica.name
            self.queue_wait_s = queue_wait_s
            self.predicted_cached_prompt_tokens = nearest(seat.predicted_cached_tokens)
        if self.time_to_first_token_s is None or not self.request.stream:
            self._reply.routed(seat.weighing)

    def answered_at(self, seat: Seat) -> None:
        """Of several replicas that were asked, this one answers."""
        if seat.replica.name != self.replica:
            self.replica = seat.replica.name
            self.predicted_cached_prompt_tokens = nearest(seat.predicted_cached_tokens)
            self._reply.routed(seat.weighing)

    @property
    def hold(self) -> Hold:
        """The money held for the request, from ``holds`` on."""
        assert self._hold is not None, "money is held before anything is spent"
        return self._hold

    def holds(self, hold: Hold) -> None:
        """The request may cost something; an account whose money comes to an end is told."""
        self._hold = hold
        if hold.near_limit:
            self._reply.near_budget(hold.used_share)

    def sink(self, branch: Branch) -> EventSink:
        """Passes the branch's events to the client. Runs once per generated token, so nothing stands in between."""
        return self._reply.sink(branch.number) if self.request.stream else NO_EVENTS

    def begin(self, branch: Branch) -> None:
        """The branch's first event is about to be passed on."""
        branch.delivered = True
        if self.time_to_first_token_s is None:
            self._start_stream(branch)

    def first_token(self, *, prefill_s: float | None, asked_s: float) -> None:
        """A whole answer is there; the engine may have told how long its prompt took. A stream's first token is its
        first event."""
        if self.time_to_first_token_s is None and not self.request.stream:
            self.time_to_first_token_s = self.elapsed_s if prefill_s is None else asked_s + prefill_s

    def attach(self, flow: Flow) -> None:
        """A stream is slowed down with its client. A whole answer comes at once, and is taken up to its limit."""
        if self.request.stream:
            self._reply.attach(flow)

    def detach(self, flow: Flow) -> None:
        if self.request.stream:
            self._reply.detach(flow)

    def usage(self) -> Usage:
        """What the request used: each prompt once, and all that was generated, of the branches that reached an
        engine."""
        if len(self.branches) == 1 and (tally := self.branches[0].tally) is not None:
            return tally.usage()
        prompt = cached = generated = reasoning = 0
        estimated = False
        for branch in self.branches:
            if branch.tally is None:
                continue
            used = branch.tally.usage()
            if branch.number % self.request.choices_per_prompt == 0:
                prompt += used.prompt_tokens
                cached += used.cached_prompt_tokens
            generated += used.generated_tokens
            reasoning += used.reasoning_tokens
            estimated = estimated or used.estimated
        return Usage(prompt, cached, generated, reasoning, estimated=estimated)

    def served(self, offer: Offer, usage: Usage) -> Served:
        """The facts of the answer, for the client."""
        elapsed_s = self.elapsed_s
        first_token_s = elapsed_s if self.time_to_first_token_s is None else self.time_to_first_token_s
        report = EngineReport(
            replica=self.replica,
            queue_wait_s=self.queue_wait_s,
            time_to_first_token_s=first_token_s,
            processing_time_s=elapsed_s,
            tokens_per_s=self._tokens_per_s(usage, elapsed_s - first_token_s),
        )
        return Served(request_id=self.request.request_id, model=offer.name, path=offer.path, usage=usage, report=report)

    def _tokens_per_s(self, usage: Usage, generating_s: float) -> float | None:
        """Of a single answer, whose first token has its moment and the others take the rest."""
        if len(self.branches) > 1 or usage.generated_tokens < 2 or generating_s <= 0.0:
            return None
        return (usage.generated_tokens - 1) / generating_s

    def _start_stream(self, branch: Branch) -> None:
        self.time_to_first_token_s = self.elapsed_s
        told = branch.tally.prompt if branch.tally is not None else None
        self._reply.start(
            StreamStart(
                time_to_first_token_s=self.time_to_first_token_s,
                prompt_tokens=told[0] if told else None,
                cached_prompt_tokens=told[1] if told else None,
            )
        )
