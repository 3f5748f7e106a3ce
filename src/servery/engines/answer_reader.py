"""Reads the body of an engine's response: a stream of events, a whole answer, or a refusal."""

from abc import ABC, abstractmethod
from typing import Final, Protocol

import msgspec

from servery.core.errors import EngineAborted, EngineBroke, EngineUnavailable
from servery.engines.asker import Asker
from servery.engines.continued import without_beginning
from servery.engines.engine_answer import EngineChoice, EngineEvent, EngineWhole
from servery.engines.event_splitter import EventSplitter
from servery.engines.passage import Passage
from servery.engines.plain_answers import PlainAnswers
from servery.engines.refusal import break_from, refusal_from
from servery.engines.tally import Tally
from servery.engines.unreadable import UNREADABLE
from servery.engines.whole_answer import WholeAnswer


class EventSink(Protocol):
    """Where a stream's generated events go. Called inside the connection's ``data_received``, so it must not block."""

    def take(self, event: bytes, read: EngineEvent | None) -> None:
        """The JSON of one event, and what was ``read`` of it; None where it is not in OpenAI's form."""
        ...

    def complete(self) -> None:
        """The engine has said all: what was just taken may go out with what ends the answer."""
        ...

    def passage(self, tally: Tally) -> Passage | None:
        """The short way past ``take``, on which events count for ``tally``; None where each is to be looked at."""
        ...


class NoEvents:
    """For answers that come whole."""

    def take(self, event: bytes, read: EngineEvent | None) -> None:
        raise AssertionError("a whole answer has no events")

    def complete(self) -> None:
        raise AssertionError("a whole answer is no stream")

    def passage(self, tally: Tally) -> Passage | None:
        return None


NO_EVENTS: Final = NoEvents()

_BYTES_PER_TOKEN: Final = 4

STREAMED: Final = WholeAnswer(b"")
"""What is left of an answer that has been passed on."""
_CUT: Final = msgspec.Raw(b'[{"index":0,"delta":{},"text":"","finish_reason":"length"}]')
"""How an answer ends that was cut, in the form of chat and of completions."""


class AnswerReader(ABC):
    """``began`` once a part of a stream has been passed on."""

    __slots__ = ("began",)

    def __init__(self) -> None:
        self.began = False

    @abstractmethod
    def feed(self, piece: bytes) -> bool:
        """Take a piece of the body; True when the answer is complete, whatever may follow. Raises ServeryErrors, and
        what is ``UNREADABLE`` for what is not the JSON that it should be."""

    @abstractmethod
    def passage(self) -> Passage | None:
        """The short way past ``feed``, which may be taken until ``feed`` is called again."""

    @abstractmethod
    def end(self) -> WholeAnswer:
        """The body has ended. Raises what is wrong with it."""


_events: Final = msgspec.json.Decoder(EngineEvent)
_objects: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _is_token(choices: list[EngineChoice]) -> bool:
    """Whether a frame carries a token: not if it is of no choice, tells why the answer ended, or names the role and
    says nothing yet. Some engines name the role again with each token."""
    for choice in choices:
        if choice.finish_reason is not None:
            return False
        delta = choice.delta
        if delta is not None and delta.role is not None and not delta.content:
            return bool(delta.reasoning_content or delta.reasoning or delta.tool_calls)
    return bool(choices)


def _check_ending(finish_reason: str | None) -> None:
    """Raises EngineAborted when the engine has given up on an answer, because its operator paused it, or aborted what
    runs: no client is to take a piece for it. vLLM and SGLang say so in words that no client knows."""
    if finish_reason in ("abort", "error"):
        raise EngineAborted("the engine gave up on the answer before its end")


class StreamReader(AnswerReader):
    """Generated events go to ``sink`` as they come; what carries usage goes to ``tally`` and no further. ``asker``
    hears once, before the first event is passed on. A stream that goes on for far longer than was asked is over
    there, cut, as one that an engine ends at its length."""

    __slots__ = (
        "_asker",
        "_between_events",
        "_passage",
        "_served_model",
        "_sink",
        "_splitter",
        "_tally",
    )

    def __init__(
        self,
        *,
        sink: EventSink,
        asker: Asker,
        tally: Tally,
        max_event_bytes: int,
        served_model: str,
    ) -> None:
        super().__init__()
        self._sink = sink
        self._passage = sink.passage(tally)
        self._asker = asker
        self._tally = tally
        self._served_model = served_model
        self._splitter = EventSplitter(max_event_bytes=max_event_bytes)
        self._between_events = False

    def feed(self, piece: bytes) -> bool:
        if self._between_events and self._passage is not None and self._passage.take(piece):
            return False
        is_complete = self._feed_events(piece)
        self._between_events = self.began and not self._splitter.holds_part
        return is_complete

    def passage(self) -> Passage | None:
        return self._passage if self._between_events else None

    def _feed_events(self, piece: bytes) -> bool:
        for event in self._splitter.feed(piece):
            if event == b"[DONE]":
                self._sink.complete()
                return True
            if event.startswith(b'{"error"') or event.startswith(b'{ "error"'):  # noqa: PIE810 - a tuple costs more
                raise break_from(event, began=self._tally.frames > 0, served_model=self._served_model)
            if event != b"null" and self._read(event):
                return True
        return False

    def end(self) -> WholeAnswer:
        if not self._tally.is_reported:
            raise EngineBroke("the engine ended the stream without saying that it was done")
        return STREAMED

    def _pass_on(self, event: bytes, read: EngineEvent) -> None:
        if not self.began:
            self.began = True
            self._asker.first_event()
        self._sink.take(event, read)

    def _read(self, event: bytes) -> bool:
        """True where the stream is cut. Decoding it costs less than looking for the few words in it that matter
        here."""
        read = _events.decode(event)
        if read.error is not None:
            raise break_from(event, began=self._tally.frames > 0, served_model=self._served_model)
        choices = read.choices or []
        for choice in choices:
            _check_ending(choice.finish_reason)
        if self._tally.frames >= self._tally.most_frames and _is_token(choices):
            self._cut(event)
            return True
        if read.usage is not None or read.timings is not None or read.prompt_progress is not None:
            self._tell(event, read, choices)
        else:
            if _is_token(choices):
                self._tally.frames += 1
            self._pass_on(event, read)
        return False

    def _cut(self, event: bytes) -> None:
        """Pass on the end of an answer in place of a further piece of it."""
        self._tally.is_cut = True
        end = msgspec.json.encode(_objects.decode(event) | {"choices": _CUT})
        self._pass_on(end, _events.decode(end))

    def _tell(self, event: bytes, frame: EngineEvent, choices: list[EngineChoice]) -> None:
        """Of usage or progress the client hears at the end; of choices beside it, at once."""
        goes_on = bool(choices) and all(choice.finish_reason is None for choice in choices)
        if frame.usage is not None and not goes_on:
            self._tally.told_usage(frame.usage)
        if frame.prompt_progress is not None:
            progress = frame.prompt_progress
            self._tally.told_prompt(prompt_tokens=progress.total, cached_prompt_tokens=progress.cache)
            self._tally.computed = progress.processed
        elif choices:
            rest = _objects.decode(event)
            rest.pop("usage", None)
            rest.pop("timings", None)
            if _is_token(choices):
                self._tally.frames += 1
            if frame.usage is not None and goes_on:  # as vLLM started with --enable-force-include-usage sends it
                self._tally.told_so_far(frame.usage)
            self._pass_on(msgspec.json.encode(rest), frame)


class BytesReader(AnswerReader):
    """Any body, as it is, up to ``max_body_bytes``."""

    def __init__(self, *, max_body_bytes: int) -> None:
        super().__init__()
        self._max_body_bytes = max_body_bytes
        self._body = b""  # most come in one piece, which is not copied
        self._more: bytearray | None = None

    def feed(self, piece: bytes) -> bool:
        if not self._body:
            self._body = piece
        elif self._more is None:
            self._more = bytearray(piece)
        else:
            self._more += piece
        if len(self._body) + (0 if self._more is None else len(self._more)) > self._max_body_bytes:
            raise EngineUnavailable("the engine that serves this model sent more than is taken")
        return False

    def passage(self) -> Passage | None:
        return None

    def end(self) -> WholeAnswer:
        return WholeAnswer(self.body)

    @property
    def body(self) -> bytes:
        return self._body if self._more is None else self._body + self._more


class TallyingReader(BytesReader):
    """Whose end tells ``tally`` what was used."""

    def __init__(self, *, tally: Tally, max_body_bytes: int) -> None:
        super().__init__(max_body_bytes=max_body_bytes)
        self._tally = tally

    def _count(self, whole: EngineWhole) -> None:
        """What the engine has told of itself."""
        if whole.usage is not None:
            self._tally.told_usage(whole.usage)
        if whole.timings is not None and whole.timings.prompt_ms is not None:
            self._tally.prefill_s = whole.timings.prompt_ms / 1_000


_wholes: Final = msgspec.json.Decoder(EngineWhole)


class WholeReader(TallyingReader):
    """An answer that is one JSON object; its usage goes to ``tally``, by its length where the engine tells none. An
    engine may repeat what the client had ``begun``, which is no part of the answer. ``plain`` are the engine's."""

    def __init__(self, *, tally: Tally, max_body_bytes: int, plain: PlainAnswers, begun: str = "") -> None:
        super().__init__(tally=tally, max_body_bytes=max_body_bytes)
        self._plain = plain
        self._begun = begun

    def end(self) -> WholeAnswer:
        body = self.body
        plain = None if self._begun else self._plain.read(body)
        if plain is not None:
            self._tally.told_usage(plain.usage)
            if self._tally.is_reported:
                return WholeAnswer(body, plain=plain)
        try:
            whole = _wholes.decode(body)
        except UNREADABLE:
            raise EngineUnavailable("the engine that serves this model did not answer as it should") from None
        choices = whole.choices or []
        for choice in choices:
            _check_ending(choice.finish_reason)
            if self._begun:
                without_beginning(choice, self._begun)
        self._count(whole)
        if not self._tally.is_reported:
            self._tally.frames = sum(tokens_by_length(choice.generated_bytes) for choice in choices)
        if not self._begun and self._tally.is_reported:
            self._plain.learn(body, whole)
        return WholeAnswer(body, whole)


def tokens_by_length(generated_bytes: int) -> int:
    """A guess at the tokens of one text, for an engine that does not tell."""
    return -(-generated_bytes // _BYTES_PER_TOKEN)


class RefusalReader(BytesReader):
    """The body of a status other than 200; its end raises the refusal."""

    def __init__(self, status: int, *, retry_after: bytes | None, served_model: str, max_body_bytes: int) -> None:
        super().__init__(max_body_bytes=max_body_bytes)
        self._status = status
        self._retry_after = retry_after
        self._served_model = served_model

    def end(self) -> WholeAnswer:
        raise refusal_from(self._status, self.body, retry_after=self._retry_after, served_model=self._served_model)
