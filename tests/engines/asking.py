"""One request to an engine, and what came of it."""

import asyncio
from collections.abc import Callable

import msgspec

from servery.core.errors import ServeryError
from servery.core.inference import Generation
from servery.core.serving_path import Endpoint
from servery.engines.cache_place import CachePlace
from servery.engines.client import EngineClient
from servery.engines.exchange import Exchange
from servery.engines.tally import Tally

HELLO = Generation(messages=msgspec.Raw(b'[{"role":"user","content":"hi"}]'))


class Asking:
    """Keeps the events that reached the sink, and the tally."""

    def __init__(self, client: EngineClient, *, stream: bool = True, work: Generation = HELLO) -> None:
        self.events: list[bytes] = []
        self.on_event: Callable[[], None] | None = None
        self.plain: set[bytes] = set()
        self.taken_plain: list[bytes] = []
        self.tally = Tally(prompt_tokens_guess=7)
        self.arrived = asyncio.Event()
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
        return await self.begin().answer

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

    def take(self, event: bytes) -> None:
        self.events.append(event)
        self.arrived.set()
        if self.on_event is not None:
            self.on_event()

    def take_plain(self, piece: bytes) -> bool:
        """True for what ``plain`` says is like something before."""
        if piece not in self.plain:
            return False
        self.taken_plain.append(piece)
        return True
