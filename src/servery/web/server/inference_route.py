"""One inference endpoint in one dialect."""

from collections.abc import Callable

from servery.core.caller import Caller
from servery.core.errors import ServeryError
from servery.core.limit_reading import LimitReading
from servery.core.value import Value
from servery.web.presenter import ParsedCall

Parse = Callable[[bytes, dict[str, str], str, Caller], ParsedCall]
"""Understands a body: (body, headers by lower-case name, request id, who asks). Raises InvalidRequest."""

RenderError = Callable[[ServeryError, str], bytes]
"""The body of a refusal in a dialect: (error, request id)."""

LimitHeaders = Callable[[LimitReading], list[tuple[bytes, bytes]]]
"""A dialect's own headers for limits, beside those that all have."""


class InferenceRoute(Value):
    """One inference endpoint in one dialect. ``id_header``: a second one, beside ``x-request-id``, from which the
    dialect's clients read a request's id. ``only_counts``: tells the length of prompts, and generates nothing."""

    FIELDS = ("parse", "render_error", "limit_headers", "id_header", "only_counts")
    __slots__ = FIELDS

    def __init__(
        self,
        parse: Parse,
        render_error: RenderError,
        limit_headers: LimitHeaders | None = None,
        id_header: bytes = b"",
        *,
        only_counts: bool = False,
    ) -> None:
        self.parse = parse
        self.render_error = render_error
        self.limit_headers = limit_headers
        self.id_header = id_header
        self.only_counts = only_counts
