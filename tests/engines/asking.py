"""One request to an engine, and what came of it."""

import asyncio
from collections.abc import Callable

from tests.fakes.keeping_transport import KeepingTransport

from servery.core.errors import ServeryError
from servery.core.inference import Generation
from servery.core.serving_path import Endpoint
from servery.core.write_turn import Outbox, WriteTurn
from servery.engines.cache_place import CachePlace
from servery.engines.client import EngineClient
from servery.engines.engine_answer import EngineEvent
from servery.engines.exchange import Exchange
from servery.engines.passage import Passage
from servery.engines.plain_frames import PlainFrames
from servery.engines.tally import Tally

HELLO = Generation(messages=b'[{"role":"user","content":"hi"}]')


class Asking:
    """Keeps the events that reached the sink, and the tally."""

    def __init__(self, client: EngineClient, *, stream: bool = True, work: Generation = HELLO) -> None:
        self.events: list[bytes] = []
        self.on_event: Callable[[], None] | None = None
        self.frames = PlainFrames()
        self.client = KeepingTransport()
        self.tally = Tally(prompt_tokens_guess=7)
        self.arrived = asyncio.Event()
        self.is_complete = False
        self._client = client
        self._stream = stream
        self._work = work

    def begin(self) -> Exchange:
        return self._client.ask(
            self._work,
            endpoint=Endpoint.CHAT,
            stream=self._stream,
            place=CachePlace(),
            sink=self,
            tally=self.tally,
        )

    async def answer(self) -> bytes:
        return (await self.begin().answer).body

    async def error(self) -> ServeryError:
        """What the request is refused with; fails if it is not."""
        try:
            answer = await self.answer()
        except ServeryError as error:
            return error
        raise AssertionError(f"answered: {answer!r}")

    async def wait_events(self, number: int) -> None:
        while len(self.events) < number:
            self.arrived.clear()
            await self.arrived.wait()

    def take(self, event: bytes, read: EngineEvent | None) -> None:
        self.events.append(event)
        self.arrived.set()
        if self.on_event is not None:
            self.on_event()

    def complete(self) -> None:
        self.is_complete = True

    def passage(self, tally: Tally) -> Passage | None:
        """For what ``frames`` has learned; it leads to ``client``."""
        return Passage(self.frames, Outbox(self.client, WriteTurn()), tally)
