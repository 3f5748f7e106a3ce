"""What a supervisor and its workers write to each other, one JSON value a line."""

from pathlib import Path

import msgspec

from servery.fleet.replica_news import ReplicaNews
from servery.fleet.share import Share
from servery.settings import Settings


class WorkerOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The first line that a worker reads. ``settings`` hold the port that the supervisor has found."""

    settings: Settings
    share: Share


class WorkerReady(msgspec.Struct, frozen=True):
    """The one line that a worker writes: it listens, and every pool can serve."""

    pid: int


def written(message: WorkerOrder | ReplicaNews | WorkerReady) -> bytes:
    """The message as a line."""
    return msgspec.json.encode(message, enc_hook=_as_text) + b"\n"


def read_order(line: bytes) -> WorkerOrder:
    """Raises msgspec.MsgspecError."""
    return msgspec.json.decode(line, type=WorkerOrder, dec_hook=_as_path)


def read_news(line: bytes) -> ReplicaNews:
    """Raises msgspec.MsgspecError."""
    return msgspec.json.decode(line, type=ReplicaNews)


def _as_text(value: object) -> str:
    assert isinstance(value, Path), "all else has a form in JSON"
    return str(value)


def _as_path(wanted: type, value: object) -> object:
    assert wanted is Path, "all else has a form in JSON"
    return Path(str(value))
