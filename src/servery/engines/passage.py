"""The short way of a stream: from an engine's chunk into a client's outbox, past all that looks at events."""

from servery.core.http_chunk import content_of
from servery.core.write_turn import Outbox
from servery.engines.plain_frames import PlainFrames
from servery.engines.tally import Tally


class Passage:
    """Takes whole events that say the same as one before but for a piece of generated text, which nearly all do.

    Each is a frame of ``tally``, and a chunk of HTTP in ``outbox``. All that happens for such a token between the two
    connections happens here, on few objects: what many streams touch for each of their tokens does not stay in the
    processor's caches.
    """

    __slots__ = ("_frames", "_outbox", "_tally", "_turn")

    def __init__(self, frames: PlainFrames, outbox: Outbox, tally: Tally) -> None:
        self._frames = frames
        self._outbox = outbox
        self._turn = outbox.turn
        self._tally = tally

    def take_chunk(self, data: bytes) -> bool:
        """Take one whole chunk of HTTP that is one such event. False, without having done anything, for all else."""
        piece = content_of(data)
        return piece is not None and self.take(piece)

    def take(self, piece: bytes) -> bool:
        """Take one such event with its framing, ``data: {…}`` and an empty line. False, as above."""
        chunk = self._frames.chunk_of(piece)
        if chunk is None or self._tally.frames >= self._tally.most_frames:
            return False
        self._outbox.add(chunk)
        self._tally.frames += 1
        self._tally.heard_s = self._turn.began_s
        return True
