"""Reads an engine's answer in Anthropic's form: a stream of events, or a whole message.

message_start            usage of the prompt so far
content_block_start      ┐
content_block_delta      │ each block; one delta is one token, but for a signature
content_block_stop       ┘
message_delta            why it ended, and the usage of all of it
message_stop             the end
"""

from typing import Final

import msgspec

from servery.core.errors import EngineAborted, EngineBroke, EngineUnavailable
from servery.engines.answer_reader import STREAMED, AnswerReader, EventSink, TallyingReader, tokens_by_length
from servery.engines.asker import Asker
from servery.engines.event_splitter import EventSplitter
from servery.engines.passage import Passage
from servery.engines.refusal import break_from
from servery.engines.tally import Tally
from servery.engines.told_message import Event, Message
from servery.engines.unreadable import UNREADABLE
from servery.engines.whole_answer import WholeAnswer

_events: Final = msgspec.json.Decoder(Event)


class MessageStreamReader(AnswerReader):
    """See ``StreamReader``. All events but pings and the end go to ``sink``, usage goes to ``tally`` as well; events of
    an unknown type go nowhere. A stream that goes on for far longer than was asked breaks off there: its blocks are
    the engine's to close."""

    __slots__ = (
        "_asker",
        "_between_events",
        "_passage",
        "_served_model",
        "_sink",
        "_splitter",
        "_stop_reason",
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
        self._stop_reason: str | None = None

    def feed(self, piece: bytes) -> bool:
        if self._between_events and self._passage is not None and self._passage.take(piece):
            return False
        is_complete = any(self._take(event) for event in self._splitter.feed(piece))
        self._between_events = self.began and not self._splitter.holds_part
        return is_complete

    def passage(self) -> Passage | None:
        return self._passage if self._between_events else None

    def end(self) -> WholeAnswer:
        if not self._tally.is_reported:
            raise EngineBroke("the engine ended the stream without saying that it was done")
        return STREAMED

    def _take(self, data: bytes) -> bool:
        """True when it was the last."""
        # So the most begin. Where the last key is, if it is given twice, is for whom it is passed on to to see.
        if data.startswith(b'{"type":"content_block_delta",') and b'"signature_delta"' not in data:
            self._check_length()
            self._pass_on(data)
            self._tally.frames += 1
            return False
        event = _events.decode(data)
        match event.type:
            case "content_block_delta":
                if event.delta is None or event.delta.type != "signature_delta":
                    self._check_length()
                    self._tally.frames += 1
            case "message_start":
                self._tell_prompt(event)
            case "message_delta":
                self._tell_end(event)
            case "message_stop":
                _check_stop(self._stop_reason)
                self._sink.complete()
                return True
            case "error":
                raise break_from(data, began=self._tally.frames > 0, served_model=self._served_model)
            case "content_block_start" | "content_block_stop":
                pass
            case _:
                return False
        self._pass_on(data)
        return False

    def _check_length(self) -> None:
        if self._tally.frames >= self._tally.most_frames:
            raise EngineBroke("the engine went on for far longer than it was asked to")

    def _pass_on(self, data: bytes) -> None:
        if not self.began:
            self.began = True
            self._asker.first_event()
        self._sink.take(data, None)

    def _tell_end(self, event: Event) -> None:
        if event.usage is not None:
            self._tally.told_usage(event.usage.reported())
        if event.delta is not None and event.delta.stop_reason is not None:
            self._stop_reason = event.delta.stop_reason

    def _tell_prompt(self, event: Event) -> None:
        """Before the first token. vLLM does not tell yet how much of it was cached."""
        told = event.message.usage if event.message else None
        length = told.reported().prompt_tokens if told else None
        if told is None or not length:
            return
        if told.cache_read_input_tokens is None:
            self._tally.told_prompt_length(length)
        else:
            self._tally.told_prompt(prompt_tokens=length, cached_prompt_tokens=told.cache_read_input_tokens)


def _check_stop(reason: str | None) -> None:
    """Raises EngineAborted for an answer that ends without a reason: so vLLM tells of one that it has given up."""
    if reason is None:
        raise EngineAborted("the engine gave up on the answer before its end")


_messages: Final = msgspec.json.Decoder(Message)


class WholeMessageReader(TallyingReader):
    """See ``WholeReader``."""

    def end(self) -> WholeAnswer:
        body = self.body
        try:
            message = _messages.decode(body)
        except UNREADABLE:
            raise EngineUnavailable("the engine that serves this model did not answer with a message") from None
        _check_stop(message.stop_reason)
        if message.usage is not None:
            self._tally.told_usage(message.usage.reported())
        if not self._tally.is_reported:
            self._tally.frames = sum(tokens_by_length(block.generated_bytes) for block in message.content)
        return WholeAnswer(body)
