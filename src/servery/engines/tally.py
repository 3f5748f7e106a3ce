"""What an engine has told so far of the tokens of one answer."""

from typing import Final

from servery.core.acyclic import acyclic
from servery.core.usage import Usage, corrected_usage
from servery.engines.reported_usage import ReportedUsage

MOST_TOKENS: Final = 2**31 - 1
_SPARE_PART: Final = 4
_SPARE_FRAMES: Final = 64
"""A stream may have a quarter more frames than tokens were asked for, and these."""


@acyclic
class Tally:
    """Counts one answer's tokens: the engine's own report where there is one, else what was seen to pass.

    ``frames`` are streamed events that carried a token; ``prefill_s`` is how long the engine says that it computed the
    prompt; ``is_held_up`` is set once the client has read too slowly. ``prompt_tokens_guess`` stands in for the prompt
    where an answer breaks off before the engine told it. ``heard_s`` is when the engine was last heard, by the loop's
    clock; ``computed`` is how much of the prompt it told to have done. A count of more than ``most_tokens`` cannot be:
    what holds it is no report.

    No more than ``asked_tokens`` of the answer are anybody's to pay, whatever the engine generated or tells. A stream
    that goes on after ``most_frames`` never heard of them, and is to be cut: a frame is a token or several, and those
    few that are none (a name of a tool, an empty piece) are a small part of an answer. ``is_cut`` says that it was.
    """

    __slots__ = (
        "_asked",
        "_cached",
        "_guess",
        "_most",
        "_prompt",
        "_reported",
        "computed",
        "frames",
        "heard_s",
        "is_cut",
        "is_held_up",
        "most_frames",
        "prefill_s",
    )

    def __init__(
        self, *, prompt_tokens_guess: int, most_tokens: int = MOST_TOKENS, asked_tokens: int | None = None
    ) -> None:
        self.frames = 0
        self.heard_s = 0.0
        self.computed = 0
        self.is_held_up = False
        self.is_cut = False
        self._asked = MOST_TOKENS if asked_tokens is None else asked_tokens
        self.most_frames = self._asked + self._asked // _SPARE_PART + _SPARE_FRAMES
        self.prefill_s: float | None = None
        self._guess = prompt_tokens_guess
        self._most = most_tokens
        self._prompt: int | None = None
        self._cached = 0
        self._reported: Usage | None = None

    def told_prompt(self, *, prompt_tokens: int, cached_prompt_tokens: int) -> None:
        if prompt_tokens <= self._most:
            self._prompt = max(0, prompt_tokens)
            self._cached = min(max(0, cached_prompt_tokens), self._prompt)

    def told_prompt_length(self, prompt_tokens: int) -> None:
        """The prompt's length alone, from an engine that tells only at the end how much of it was cached."""
        if prompt_tokens <= self._most:
            self._guess = max(0, prompt_tokens)

    def told_so_far(self, reported: ReportedUsage) -> None:
        """Usage in the midst of a stream: no proof that the stream is complete, nor of how much was cached."""
        if reported.prompt_tokens is not None:
            self.told_prompt_length(reported.prompt_tokens)
        generated = reported.completion_tokens or 0
        if self.frames < generated <= self._most:
            self.frames = generated

    def told_usage(self, reported: ReportedUsage) -> None:
        """A report that leaves out the prompt is none."""
        prompt, generated = reported.prompt_tokens, reported.completion_tokens or 0
        if prompt is not None and prompt <= self._most and generated <= self._most:
            self._reported = self._paid(_usage(reported, prompt, generated))

    @property
    def prompt(self) -> tuple[int, int] | None:
        """Prompt and cached prompt tokens as the engine told them, None before it did."""
        if self._reported is not None:
            return self._reported.prompt_tokens, self._reported.cached_prompt_tokens
        return None if self._prompt is None else (self._prompt, self._cached)

    @property
    def generated_tokens(self) -> int | None:
        """As the engine reported them, None before it did."""
        return None if self._reported is None else self._reported.generated_tokens

    @property
    def is_reported(self) -> bool:
        return self._reported is not None

    def usage(self) -> Usage:
        """The engine's report; without one, an estimate that is marked as such: one token a frame."""
        if self._reported is not None:
            return self._reported
        prompt = self._guess if self._prompt is None else self._prompt
        return Usage(prompt, min(self._cached, prompt), min(self.frames, self._asked), 0, estimated=True)

    def _paid(self, usage: Usage) -> Usage:
        """What of it was asked for: an engine that tells of more has not done as it was asked."""
        generated = self._asked
        if usage.generated_tokens <= generated:
            return usage
        reasoning = min(usage.reasoning_tokens, generated)
        return Usage(usage.prompt_tokens, usage.cached_prompt_tokens, generated, reasoning, estimated=True)


def _usage(reported: ReportedUsage, prompt: int, generated: int) -> Usage:
    """What an engine reported, as a value; ``prompt`` and ``generated`` are what it said of them."""
    prompt_details, generated_details = reported.prompt_tokens_details, reported.completion_tokens_details
    cached = None if prompt_details is None else prompt_details.cached_tokens
    reasoning = None if generated_details is None else generated_details.reasoning_tokens
    return corrected_usage(
        prompt_tokens=prompt,
        cached_prompt_tokens=cached or 0,
        generated_tokens=generated,
        reasoning_tokens=reasoning or reported.reasoning_tokens or 0,
    )
