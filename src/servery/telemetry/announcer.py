"""Tells the operator at the terminal what is going on."""

from typing import IO


class Announcer:
    """Writes short lines to ``stream`` as things happen; to none, it keeps quiet."""

    def __init__(self, stream: IO[str] | None) -> None:
        self._stream = stream

    def say(self, line: str = "") -> None:
        if self._stream is not None:
            print(line, file=self._stream, flush=True)

    def downloading(self, replica: str, model: str) -> None:
        self.say(f"  {replica:<14} downloading  {model}")

    def starting(self, replica: str, model: str) -> None:
        self.say(f"  {replica:<14} starting  {model}")

    def ready(self, replica: str, *, seconds: float) -> None:
        self.say(f"  {replica:<14} ready     after {seconds:.1f} s")

    def failed(self, replica: str, reason: str) -> None:
        self.say(f"  {replica:<14} down      {reason}")
