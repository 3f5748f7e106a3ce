"""Engines whose answers end when the test says so: places that are taken for as long as it wants, on any machine."""

import asyncio
from random import Random

from tests.fakes.engine_scripts import FINISH, OPENING, answer_of, sends, token, usage_chunk, usage_of
from tests.fakes.fake_engine import FakeExchange

WORD = "word"
_USAGE = usage_of(200, 1)


class HeldAnswers:
    """A script for all requests to some engines: a stream says ``WORD`` at once and the rest when ``end_one`` comes to
    it, a whole answer comes then. ``begun`` are the first words of the prompts, in the order in which they came."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self._held: list[asyncio.Event] = []
        self._is_over = False
        self._random = Random(7)

    @property
    def held(self) -> int:
        return len(self._held)

    async def __call__(self, exchange: FakeExchange) -> None:
        self.begun.append(exchange.json["messages"][0]["content"].split()[0])
        told = asyncio.Event()
        self._held.append(told)
        if self._is_over:
            self.end_one()

        async def rest(exchange: FakeExchange) -> None:
            await told.wait()
            exchange.event(FINISH)
            exchange.event(usage_chunk(_USAGE))
            exchange.end_stream()

        if exchange.json.get("stream"):
            await sends(OPENING, token(WORD), then=rest)(exchange)
        else:
            await told.wait()
            exchange.whole(200, answer_of(WORD, _USAGE))

    def end_one(self) -> None:
        """Any one: answers differ in length."""
        self._held.pop(self._random.randrange(len(self._held))).set()

    def end_all(self) -> None:
        """Those that are held, and from now on each as soon as it has begun."""
        self._is_over = True
        while self._held:
            self.end_one()
