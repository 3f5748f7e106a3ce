"""Tells the operator at the terminal what is going on."""

import os
from typing import IO


class Announcer:
    """Writes short lines to ``stream`` as things happen; to none, it keeps quiet. So it does once nobody can read them
    any more: a terminal that was closed must not make an orderly end a failure."""

    def __init__(self, stream: IO[str] | None) -> None:
        self._stream = stream

    def say(self, line: str = "") -> None:
        if self._stream is None:
            return
        try:
            print(line, file=self._stream, flush=True)
        except OSError:
            _lead_nowhere(self._stream)
            self._stream = None

    def downloading(self, replica: str, model: str) -> None:
        self.say(f"  {replica:<14} downloading  {model}")

    def starting(self, replica: str, model: str) -> None:
        self.say(f"  {replica:<14} starting  {model}")

    def ready(self, replica: str, *, seconds: float) -> None:
        self.say(f"  {replica:<14} ready     after {seconds:.1f} s")

    def failed(self, replica: str, reason: str) -> None:
        self.say(f"  {replica:<14} down      {reason}")


def _lead_nowhere(stream: IO[str]) -> None:
    """What could not be written is tried once more when the process ends, and would be its exit status."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
