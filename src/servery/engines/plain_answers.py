"""Whole answers of one engine that say nothing but a text: all alike but for that, their usage, id and second.

    {"id":"c-1","choices":[{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{…},"n":1}
    |--------------------------- head ------------------------------|  |------- between ---------|       | tail |

As with the frames of a stream, decoding costs several times what passing it on does. So one answer is decoded, the
bytes around its text, its usage, its id and the second in ``created`` are learned, and any answer that has the same
bytes there, one string of JSON as its text, an object as its usage, a string as its id and digits as its second, must
decode to the same but for those. Whatever else it says (log probabilities, calls, another reason to end) stands in
other bytes: it is decoded, and may be learned anew.
"""

from typing import Final

import msgspec

from servery.core.acyclic import acyclic
from servery.engines.engine_answer import EngineWhole
from servery.engines.plain_frames import is_string
from servery.engines.reported_usage import ReportedUsage
from servery.engines.unreadable import UNREADABLE

_MOST_FORMS: Final = 4
"""There are as many as an engine has reasons to end a text."""
_MOST_FORM_BYTES: Final = 4_096
_LOOKED_FOR_BYTES: Final = 12
_WORTH_USES: Final = 8
"""To learn one costs what reading some five known ones saves."""
_MOST_LEFT_OUT: Final = 1_023
_REASONS: Final = frozenset({"stop", "length"})
_MOST_DIGITS: Final = 12
_BACKSLASH: Final = ord("\\")
_NOTHING: Final = msgspec.Raw()
_PROBE: Final = "probe\u0001"
_PROBE_JSON: Final = b'"probe\\u0001"'
_PROBE_ID_JSON: Final = b'"probe\\u0002"'
"""A text and an id that no engine sends, and that are told apart: an engine's text may be the same as its id."""
_PROBE_USAGE: Final = ReportedUsage(prompt_tokens=7, completion_tokens=5)
_PROBE_USAGE_JSON: Final = b'{"prompt_tokens":7,"completion_tokens":5}'

_wholes: Final = msgspec.json.Decoder(EngineWhole)
_usages: Final = msgspec.json.Decoder(ReportedUsage)
_objects: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_lists: Final = msgspec.json.Decoder(list[msgspec.Raw])


@acyclic
class PlainAnswer:
    """``text_json`` is the text as the engine encoded it."""

    __slots__ = ("created", "finish_reason", "text_json", "usage")

    def __init__(self, text_json: bytes, finish_reason: str, created: float | None, usage: ReportedUsage) -> None:
        self.text_json = text_json
        self.finish_reason = finish_reason
        self.created = created
        self.usage = usage


class PlainAnswers:
    """Those of one engine. Where what is learned is of no use, less and less is learned."""

    __slots__ = ("_forms", "_left_out", "_pause")

    def __init__(self) -> None:
        self._forms: list[_Form] = []
        self._pause = 0
        self._left_out = 0

    def read(self, body: bytes) -> PlainAnswer | None:
        """What a whole answer says, where that is known by its form."""
        for form in self._forms:
            answer = form.read(body)
            if answer is not None:
                return answer
        return None

    def learn(self, body: bytes, whole: EngineWhole) -> None:
        """``whole`` was decoded from ``body``, which is of no known form."""
        said = _plain(whole)
        if said is None:
            return
        if self._left_out < self._pause:
            self._left_out += 1
            return
        form = _form_of(body, said[1], whole.created)
        if form is not None:
            self._forms.insert(0, form)
            if len(self._forms) > _MOST_FORMS:
                self._left_out = 0
                self._pause = 0 if self._forms.pop().uses >= _WORTH_USES else min(2 * self._pause + 1, _MOST_LEFT_OUT)


class _Fixed:
    """Bytes that stand at a place."""

    __slots__ = ("begin", "end", "text")

    def __init__(self, begin: int, text: bytes) -> None:
        self.begin = begin
        self.end = begin + len(text)
        self.text = text


class _Around:
    """What stands before, between or behind text and usage; the id and the second, where they are here, may be others
    of the same length."""

    __slots__ = ("_fixed", "_id_begin", "_id_end", "_second_begin", "_second_end", "length")

    def __init__(self, text: bytes, own_id: bytes, second: bytes) -> None:
        self.length = len(text)
        self._id_begin, self._id_end = _place(text, own_id)
        self._second_begin, self._second_end = _place(text, second)
        self._fixed: list[_Fixed] = []
        at = 0
        for begin, end in sorted([(self._id_begin, self._id_end), (self._second_begin, self._second_end)]):
            if end:
                self._fixed.append(_Fixed(at, text[at:begin]))
                at = end
        self._fixed.append(_Fixed(at, text[at:]))

    def fits(self, text: bytes) -> bool:
        """``text`` is as long."""
        if len(self._fixed) == 1:
            return text == self._fixed[0].text
        for fixed in self._fixed:
            if text[fixed.begin : fixed.end] != fixed.text:
                return False
        return not self._id_end or is_string(text[self._id_begin : self._id_end])

    @property
    def beginning(self) -> bytes:
        """What is always the same of it, up to a few bytes: to look for more costs as much as reading it."""
        return self._fixed[0].text[:_LOOKED_FOR_BYTES]

    def second_in(self, text: bytes) -> bytes:
        """Nothing where it is not here."""
        return text[self._second_begin : self._second_end]


def _place(text: bytes, part: bytes) -> tuple[int, int]:
    """Where a part begins and ends; twice 0 where it is not there, or there is none."""
    begin = text.find(part) if part else -1
    return (begin, begin + len(part)) if begin >= 0 else (0, 0)


class _Form:
    """``between`` begins with the last quote of the text."""

    __slots__ = ("_begins", "_between", "_created", "_finish_reason", "_head", "_second", "_tail", "uses")

    def __init__(
        self,
        head: _Around,
        between: _Around,
        tail: _Around,
        *,
        finish_reason: str,
        created: float | None,
        second: bytes,
    ) -> None:
        self._head = head
        self._between = between
        self._begins = between.beginning
        self._tail = tail
        self._finish_reason = finish_reason
        self._created = created
        self._second = second
        self.uses = 0

    def read(self, body: bytes) -> PlainAnswer | None:
        begin = self._head.length
        head = body[:begin]
        if not self._head.fits(head):
            return None
        last = body.find(b'"', begin + 1)  # its end, unless it is escaped; to find one byte costs a fraction
        if last > 0 and body[last - 1] == _BACKSLASH:
            last = body.find(self._begins, begin + 1)
        usage_begin, usage_end = last + self._between.length, len(body) - self._tail.length
        if last < 0 or usage_end <= usage_begin:
            return None
        between, tail, text = body[last:usage_begin], body[usage_end:], body[begin : last + 1]
        if not (self._between.fits(between) and self._tail.fits(tail) and is_string(text)):
            return None
        created = self._created
        if self._second:
            second = self._head.second_in(head) or self._between.second_in(between) or self._tail.second_in(tail)
            if second != self._second:
                if not second.isdigit() or second.startswith(b"0"):
                    return None
                created = float(int(second))
        try:
            usage = _usages.decode(body[usage_begin:usage_end])
        except UNREADABLE:
            return None
        self.uses += 1
        return PlainAnswer(text, self._finish_reason, created, usage)


def _plain(whole: EngineWhole) -> tuple[str, str] | None:
    """The text and the reason to end, where it says nothing else that anybody is shown."""
    choices = whole.choices
    if choices is None or len(choices) != 1 or whole.usage is None or whole.timings is not None:
        return None
    if whole.error is not None or whole.verbose is not None:
        return None
    choice = choices[0]
    message, reason = choice.message, choice.finish_reason
    if message is None or reason not in _REASONS or choice.delta is not None or choice.text is not None:
        return None
    if choice.logprobs is not None or choice.stop_reason is not None or choice.matched_stop is not None:
        return None
    if message.content is None or message.reasoning_content is not None or message.reasoning is not None:
        return None
    return None if message.tool_calls else (message.content, reason)


def _form_of(body: bytes, finish_reason: str, created: float | None) -> _Form | None:
    """Of an answer that is plain; None where its form cannot be told. Other values in the places that were found must
    be read as what stands there: that is proof of where they are."""
    fields = _objects.decode(body)
    choice = _objects.decode(_lists.decode(fields["choices"])[0])
    text, usage = bytes(_objects.decode(choice["message"])["content"]), bytes(fields["usage"])
    head, _, rest = body.partition(text)
    between, _, tail = rest.partition(usage)
    between, around = b'"' + between, head + between + tail
    if len(around) > _MOST_FORM_BYTES:
        return None
    own_id, second = bytes(fields.get("id", _NOTHING)), bytes(fields.get("created", _NOTHING))
    if not own_id.startswith(b'"') or around.count(own_id) != 1:
        own_id = b""
    if not second.isdigit() or second.startswith(b"0") or len(second) > _MOST_DIGITS or around.count(second) != 1:
        second = b""
    other_second = b"1" * len(second)

    def probed(text: bytes) -> bytes:
        if second:
            text = text.replace(second, other_second)
        return text.replace(own_id, _PROBE_ID_JSON) if own_id else text

    probe = b"%b%b%b%b%b" % (probed(head), _PROBE_JSON, probed(between)[1:], _PROBE_USAGE_JSON, probed(tail))
    try:
        whole, found_id = _wholes.decode(probe), bytes(_objects.decode(probe).get("id", _NOTHING))
    except UNREADABLE:
        return None
    if _plain(whole) != (_PROBE, finish_reason) or whole.usage != _PROBE_USAGE:
        return None
    if whole.created != (float(int(other_second)) if second else created) or (own_id and found_id != _PROBE_ID_JSON):
        return None
    return _Form(
        _Around(head, own_id, second),
        _Around(between, own_id, second),
        _Around(tail, own_id, second),
        finish_reason=finish_reason,
        created=created,
        second=second,
    )
