"""What an engine has answered, once all of it is there."""

from servery.engines.engine_answer import EngineAnswer


class WholeAnswer:
    """``body`` as it came, ``b""`` of a stream. ``read``: what was read of it for counting, and need not be read again
    for showing; None of a stream, and of what is not in OpenAI's form. Never changed."""

    __slots__ = ("body", "read")

    def __init__(self, body: bytes, read: EngineAnswer | None = None) -> None:
        self.body = body
        self.read = read
