"""What one replica has in hand: as this gateway knows it, and as the engine itself reports it. Pure.

Two signals, and the larger wins. What this gateway has in flight is known at once, and says nothing of other gateways.
What the engine reports is true of all of them, and late: since it was asked, requests have come and gone. So a report
is kept as the part of it that is not ours,

    others = what the engine reports - the most that it can have counted of ours

which is what we had in flight when it was asked, and all that we sent until it had answered. ``others`` holds until the
next report; what we send and finish meanwhile counts on top of it at once.

A report is never believed so far that a replica stands idle for it: one request may always go where we have none. If
the engine's numbers were wrong, or got stuck while it was idle, its next report says so.
"""

from typing import Final, Protocol

from servery.engines.load import EngineLoad

FEW_TOKENS: Final = 256.0
"""Prompts of so many tokens together are computed in one step: there is nothing to be gained by sending them singly."""


class Backlog(Protocol):
    """What routing knows of the prompts that were sent to a replica and are not computed yet."""

    def prompts_wait_s(self, now_s: float, *, beside: float) -> float:
        """How long a prompt that is sent there now would wait for those before it, ``beside`` of whose uncached tokens
        are promised and not sent yet. 0 where it cannot be known."""
        ...


class Gone:
    """What had left when an engine was asked for its load: ``sequences`` and ``tokens``, counted from the start."""

    __slots__ = ("sequences", "tokens")

    def __init__(self, sequences: int, tokens: float) -> None:
        self.sequences = sequences
        self.tokens = tokens


class Occupancy:
    """``sequences_limit`` requests may be in flight, and ``tokens_limit`` tokens resident in the KV cache (None: not
    known). Both may be changed at any time; what is in flight stays.

    ``sequences`` is in flight from this gateway, ``resident_tokens`` the sum over those of prompt, what is generated
    and what is still expected. ``pending_prefill_tokens`` are uncached prompt tokens that were sent and are not
    computed yet; routing keeps them, and ``backlog``, which is None before it is asked to route there. ``held`` of the
    sequences are promised and not yet sent, with ``held_prefill_tokens`` to be computed.

    ``siblings_sequences`` and ``siblings_tokens`` are the shares that other gateways have of the same engine, beyond
    our limits: as much of a report is theirs, and takes nothing from us.
    """

    __slots__ = (
        "_gone_sequences",
        "_gone_tokens",
        "backlog",
        "held",
        "held_prefill_tokens",
        "other_sequences",
        "other_tokens",
        "pending_prefill_tokens",
        "resident_tokens",
        "sequences",
        "sequences_limit",
        "siblings_sequences",
        "siblings_tokens",
        "tokens_limit",
    )

    def __init__(
        self,
        *,
        sequences_limit: int,
        tokens_limit: int | None = None,
        siblings_sequences: int = 0,
        siblings_tokens: int = 0,
    ) -> None:
        self.sequences_limit = sequences_limit
        self.tokens_limit = tokens_limit
        self.siblings_sequences = siblings_sequences
        self.siblings_tokens = siblings_tokens
        self.sequences = 0
        self.resident_tokens = 0.0
        self.pending_prefill_tokens = 0.0
        self.backlog: Backlog | None = None
        self.held = 0
        self.held_prefill_tokens = 0.0
        self.other_sequences = 0
        self.other_tokens = 0.0
        self._gone_sequences = 0
        self._gone_tokens = 0.0

    @property
    def busy_sequences(self) -> int:
        return self.sequences + self.other_sequences

    @property
    def used_tokens(self) -> float:
        return self.resident_tokens + self.other_tokens

    def has_room_for(self, tokens: float) -> bool:
        """Whether one more request, which will have ``tokens`` resident, fits. The first one always does."""
        sequences = self.sequences
        if sequences == 0:
            return self.sequences_limit > 0
        if sequences + self.other_sequences >= self.sequences_limit:
            return False
        limit = self.tokens_limit
        return limit is None or self.resident_tokens + self.other_tokens + tokens <= limit

    def late_s(self, now_s: float, *, ahead_s: float) -> float:
        """For how long no further prompt should be sent there, so that none waits for more than ``ahead_s`` behind
        others: one that waits there has its turn settled."""
        pending = self.pending_prefill_tokens + self.held_prefill_tokens
        if pending <= FEW_TOKENS or self.backlog is None:
            return 0.0
        return max(0.0, self.backlog.prompts_wait_s(now_s, beside=self.held_prefill_tokens) - ahead_s)

    def keeps_free(self, headroom: float, *, beside: float) -> bool:
        """Whether so large a share of both limits would stay free, with one more request of ``beside`` tokens. One that
        nobody uses is free enough."""
        if self.busy_sequences == 0:
            return True
        share, limit = 1.0 - headroom, self.tokens_limit
        sequences_fit = self.busy_sequences + 1 <= self.sequences_limit * share
        return sequences_fit and (limit is None or self.used_tokens + beside <= limit * share)

    def enter(self, tokens: float) -> None:
        """A request is sent there."""
        self.sequences += 1
        self.resident_tokens += tokens

    def hold(self, tokens: float, *, prefill_tokens: float = 0.0) -> None:
        """As ``enter``, for one that is promised a place and will be sent in a moment, or elsewhere."""
        self.enter(tokens)
        self.held += 1
        self.held_prefill_tokens += prefill_tokens

    def release(self, tokens: float, *, prefill_tokens: float = 0.0) -> None:
        """What was held is free again."""
        assert self.held > 0, "nothing is released that was not held"
        self.held -= 1
        self.held_prefill_tokens = self.held_prefill_tokens - prefill_tokens if self.held else 0.0
        self.sequences -= 1
        self.resident_tokens = self.resident_tokens - tokens if self.sequences else 0.0

    def leave(self, tokens: float) -> None:
        """It is over; ``tokens`` as it entered with, and as it has grown by."""
        assert self.sequences > 0, "nobody leaves who did not enter"
        self.sequences -= 1
        self._gone_sequences += 1
        self._gone_tokens += tokens
        # With nobody there the sum is nothing, whatever rounding has left of it.
        self.resident_tokens = self.resident_tokens - tokens if self.sequences else 0.0

    def grow(self, tokens: float) -> None:
        """Somebody there turned out larger than was expected, or smaller."""
        self.resident_tokens += tokens

    def gone(self) -> Gone:
        """To be taken before the engine is asked for its load, and handed to ``report``."""
        return Gone(self._gone_sequences, self._gone_tokens)

    def report(self, load: EngineLoad, asked: Gone) -> None:
        """What the engine told of itself; ``asked`` is from just before it was asked."""
        ours = self.sequences - self.held + self._gone_sequences - asked.sequences
        self.other_sequences = max(0, load.running + load.waiting - ours - self.siblings_sequences)
        self.other_tokens = 0.0
        if load.kv_usage is not None and self.tokens_limit is not None:
            our_tokens = self.resident_tokens + self._gone_tokens - asked.tokens
            all_tokens = load.kv_usage * (self.tokens_limit + self.siblings_tokens)
            self.other_tokens = max(0.0, all_tokens - our_tokens - self.siblings_tokens)

    def forget_report(self) -> None:
        """The engine's report is too old to be believed, or of an engine that is no more."""
        self.other_sequences = 0
        self.other_tokens = 0.0

    def check_integrity(self) -> None:
        assert self.sequences >= self.held >= 0, "what is promised is a part of what is in flight"
        assert self.sequences > 0 or self.resident_tokens == 0.0, "nothing is resident where nobody is"
        assert self.held > 0 or self.held_prefill_tokens == 0.0, "nothing is to be computed for nobody"
        assert min(self.other_sequences, self.other_tokens) >= 0, "others are a number"
