"""Requests drawn from a seed, without a file: as many as wanted, one after another, in constant memory.

Sessions begin as a Poisson process. A session is a conversation: each turn's prompt is the one before it, its answer,
and something new. What sessions have in common stands before all that: a part that all accounts would word alike, a
part of the account's own, and documents drawn from a shelf, the first of it most often (Zipf). Lengths are lognormal.

    chat      a system prompt, then turns with pauses of a reader
    agents    a long common prompt of tools, many quick turns, several sessions of one account begun at once
    rag       documents from a shelf, one question, a short answer
    random    nothing in common at all
    noisy     chat of many accounts, and one that sends ten times as much as each of the others
"""

from collections.abc import Iterator
from enum import StrEnum
from heapq import heappop, heappush
from itertools import count, islice
from math import exp, log
from random import Random

import msgspec

from servery.simulation.traces.request import Request

BLOCK_TOKENS = 256
SECONDS_PER_TOKEN = 0.02
"""How long a client takes to receive one, before it reads and goes on."""

_LONGEST_TOKENS = 100_000


class Kind(StrEnum):
    """As told above."""

    CHAT = "chat"
    AGENTS = "agents"
    RAG = "rag"
    RANDOM = "random"
    NOISY = "noisy"


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """Means, in tokens and seconds. ``siblings`` sessions of one account begin within ``burst_s``. There are ``shelf``
    documents. ``spread`` is the standard deviation of the logarithms of lengths. The first account sends ``loudness``
    times as much as each of the others."""

    common_tokens: int = 0
    account_tokens: int = 0
    documents: int = 0
    document_tokens: int = 1_024
    turns: float = 1.0
    new_tokens: int = 400
    answer_tokens: int = 200
    pause_s: float = 20.0
    siblings: int = 1
    burst_s: float = 0.05
    shelf: int = 2_000
    spread: float = 0.8
    loudness: int = 1


TRAFFIC = {
    Kind.CHAT: Traffic(account_tokens=1_024, turns=6, new_tokens=250, answer_tokens=250, pause_s=30.0),
    Kind.AGENTS: Traffic(
        common_tokens=4_096, account_tokens=2_048, turns=12, new_tokens=600, answer_tokens=80, pause_s=3.0, siblings=3
    ),
    Kind.RAG: Traffic(account_tokens=512, documents=4, new_tokens=100, answer_tokens=150),
    Kind.RANDOM: Traffic(new_tokens=2_000, answer_tokens=250),
    Kind.NOISY: Traffic(account_tokens=1_024, turns=4, new_tokens=500, answer_tokens=200, pause_s=20.0, loudness=10),
}


class SyntheticTrace:
    """``requests_per_s`` on the average, until there are ``requests``. ``traffic`` is the kind's own, if not given.
    ``begins_empty``: no session is under way at first, so that traffic swells for as long as one lasts, and prompts of
    many turns do not all come to empty caches at once."""

    block_tokens = BLOCK_TOKENS

    def __init__(
        self,
        kind: Kind,
        *,
        requests: int,
        requests_per_s: float,
        accounts: int,
        seed: int,
        traffic: Traffic | None = None,
        begins_empty: bool = False,
    ) -> None:
        self._kind = kind
        self._most = requests
        self._requests_per_s = requests_per_s
        self._accounts = accounts
        self._seed = seed
        self._traffic = traffic or TRAFFIC[kind]
        self._begins_empty = begins_empty

    def requests(self) -> Iterator[Request]:
        return islice(self._endless(), self._most)

    def _endless(self) -> Iterator[Request]:
        """Sessions as they go on, the next of them first."""
        random = Random(f"{self._kind.value} {self._seed}")  # noqa: S311 - no secret hangs on made-up traffic
        draft = _Draft(self._traffic, random)
        begins_per_s = self._requests_per_s / (self._traffic.turns * self._traffic.siblings)
        next_s = random.expovariate(begins_per_s)
        number = count()
        going = self._under_way(draft, random, number)
        while True:
            while not going or going[0][0] > next_s:
                account = self._drawn_account(random)
                for _ in range(self._traffic.siblings):
                    begin_s = next_s + random.random() * self._traffic.burst_s * (self._traffic.siblings > 1)
                    heappush(going, (begin_s, next(number), draft.session(account, next(number))))
                next_s += random.expovariate(begins_per_s)
            moment_s, order, session = heappop(going)
            yield draft.turn(session, moment_s)
            if random.random() >= 1.0 / self._traffic.turns:
                pause_s = session.answer_s + random.expovariate(1.0 / self._traffic.pause_s)
                heappush(going, (moment_s + pause_s, order, session))

    def _under_way(self, draft: "_Draft", random: Random, number: Iterator[int]) -> list[tuple[float, int, "_Session"]]:
        """The sessions that have begun before: as many as there are at any time, each as old as chance will have it.
        Without them traffic would swell for as long as a session lasts."""
        traffic = self._traffic
        between_s = traffic.pause_s + traffic.answer_tokens * SECONDS_PER_TOKEN
        going: list[tuple[float, int, _Session]] = []
        if traffic.turns > 1 and not self._begins_empty:
            for _ in range(round(self._requests_per_s * (1.0 - 1.0 / traffic.turns) * between_s)):
                session = draft.session(self._drawn_account(random), next(number))
                draft.turn(session, 0.0)
                while random.random() >= 1.0 / traffic.turns:
                    draft.turn(session, 0.0)
                heappush(going, (random.expovariate(1.0 / between_s), next(number), session))
        return going

    def _drawn_account(self, random: Random) -> int:
        loud = self._traffic.loudness
        drawn = random.randrange(self._accounts - 1 + loud)
        return max(0, drawn - loud + 1)


class _Session:
    """``blocks`` are whole blocks of the conversation so far, which has ``tokens``."""

    __slots__ = ("account", "answer_s", "blocks", "name", "tokens")

    def __init__(self, account: int, name: str, blocks: tuple[int, ...], tokens: int) -> None:
        self.account = account
        self.name = name
        self.blocks = blocks
        self.tokens = tokens
        self.answer_s = 0.0


class _Draft:
    """Writes prompts, as block ids. Ids below ``_FRESH`` belong to what is in common."""

    _FRESH = 1 << 40
    _DOCUMENT = 1 << 20
    _ACCOUNT = 1 << 32

    def __init__(self, traffic: Traffic, random: Random) -> None:
        self._traffic = traffic
        self._random = random
        self._fresh = count(self._FRESH)

    def session(self, account: int, number: int) -> _Session:
        traffic = self._traffic
        begins = self._ACCOUNT + account * 4_096
        common = traffic.common_tokens // BLOCK_TOKENS
        blocks = (*range(common), *range(begins, begins + traffic.account_tokens // BLOCK_TOKENS))
        # Caches are not shared between accounts, so what all word alike is each one's own all the same.
        blocks = tuple([block + (account << 60) for block in blocks])
        for _ in range(traffic.documents):
            blocks += self._document(account, blocks[-1] if blocks else 0)
        return _Session(account, f"session-{number}", blocks, len(blocks) * BLOCK_TOKENS)

    def turn(self, session: _Session, moment_s: float) -> Request:
        """The session's next request. It goes on with the answer."""
        new = self._length(self._traffic.new_tokens)
        answer = self._length(self._traffic.answer_tokens)
        session.tokens += new
        missing = -(-session.tokens // BLOCK_TOKENS) - len(session.blocks)
        blocks = session.blocks + tuple(islice(self._fresh, max(0, missing)))
        request = Request(moment_s, session.tokens, answer, blocks, f"account-{session.account}", session=session.name)
        session.blocks = blocks[: session.tokens // BLOCK_TOKENS]
        session.tokens = min(session.tokens + answer, _LONGEST_TOKENS)
        session.answer_s = answer * SECONDS_PER_TOKEN
        return request

    def _document(self, account: int, before: int) -> tuple[int, ...]:
        """One from the shelf. Where it stands it is known by what stands before it, as blocks are."""
        rank = int(exp(self._random.random() * log(self._traffic.shelf)))
        begins = hash((account, before, rank)) & (self._FRESH - 1)
        return tuple(range(begins, begins + self._traffic.document_tokens // BLOCK_TOKENS))

    def _length(self, mean: int) -> int:
        spread = self._traffic.spread
        drawn = self._random.lognormvariate(log(mean) - spread**2 / 2, spread)
        return min(_LONGEST_TOKENS, max(1, round(drawn)))
