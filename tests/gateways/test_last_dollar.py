"""Attacks on an account's last dollar at three real gateways: everything that can change it, at once and again."""

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.gateways.bars import DOLLAR, running, wait_forwarded, wait_spent
from tests.gateways.clients import Clients
from tests.gateways.gateway import MODEL, Gateway
from tests.postgresql_server import PostgresqlServer

CLIENTS, CODES, ATTEMPTS = 30, 8, 50
CODE_NANOS = 40_000_000
_NOTICED_S, _LIMIT_S = 3.0, 60.0


class Attack:
    """Over the control plane of all gateways in turn; ``statuses`` counts what it was answered, by what was asked."""

    def __init__(self, fleet: list[Gateway]) -> None:
        self._fleet = fleet
        self._ending = threading.Event()
        self.statuses: Counter[tuple[str, int]] = Counter()

    def ask(self, number: int, path: str, body: object, *, method: str = "POST") -> httpx.Response:
        gateway = self._fleet[number % len(self._fleet)]
        answer = httpx.request(
            method,
            f"http://127.0.0.1:{gateway.port}/v1/{path}",
            headers={"x-api-key": self._fleet[0].key},
            json=body,
            timeout=60,
        )
        self.statuses[path.rsplit(":", 1)[-1] if ":" in path else path, answer.status_code] += 1
        return answer

    @contextmanager
    def going_on(self, *attacks: Callable[[int], None]) -> Iterator[None]:
        """Each in a thread, again and again with rising numbers."""

        def repeat(attack: Callable[[int], None]) -> None:
            number = 0
            while not self._ending.is_set():
                attack(number)
                number += 1

        with ThreadPoolExecutor(len(attacks)) as threads:
            running = [threads.submit(repeat, attack) for attack in attacks]
            try:
                yield
            finally:
                self._ending.set()
            for one in running:
                one.result()

    def suspend_and_resume(self, number: int) -> None:
        self.ask(number, "accounts/acme:suspend", {})
        self.ask(number + 1, "accounts/acme:resume", {})

    def change_limit(self, number: int) -> None:
        self.ask(number, "accounts/acme/quotas/monthly-spend-usd", {"value": number % 3}, method="PATCH")

    def pin_tier(self, number: int) -> None:
        self.ask(number, "accounts/acme:pinSpendTier", {"spendTier": 1 + number % 4})

    def revoke_in_a_stream(self, number: int) -> None:
        """Make a key, begin a stream with it, revoke it, read on: what has begun ends, and is charged."""
        made = self.ask(number, "accounts/acme/apiKeys", {"apiKey": {"displayName": "short-lived"}}).json()
        url = f"http://127.0.0.1:{self._fleet[(number + 1) % 3].port}/inference/v1/chat/completions"
        body = {"model": MODEL, "messages": [{"role": "user", "content": "x"}], "max_tokens": 60, "stream": True}
        headers = {"Authorization": f"Bearer {made['key']}"}
        with (
            contextlib.suppress(httpx.TransportError),
            httpx.stream("POST", url, json=body, headers=headers, timeout=60) as answer,
        ):
            for place, _ in enumerate(answer.iter_lines()):
                if place == 3:
                    self.ask(number + 2, "accounts/acme/apiKeys:delete", {"keyId": made["keyId"]})
        assert answer.status_code in {200, 412, 429, 503}  # 429: few requests a minute without money


def test_the_last_dollar_is_charged_once(tmp_path: Path, postgresql: PostgresqlServer) -> None:
    """A prepaid account lives on codes that are redeemed at all gateways at once, each fifty times, while it is
    suspended and resumed, its limit and tier change, keys are revoked in the midst of streams, and thirty clients spend
    what there is: each code counts once, no more is charged than there was but what running requests cost beyond their
    estimates, no answer is a fault, and the books hold."""
    url = postgresql.new_database()
    with running(tmp_path / "attack", url, gateways=3, output_dollars=64.0) as fleet:
        attack = Attack(fleet)
        assert attack.ask(0, "accounts", {"accountId": "acme"}).status_code == 200
        assert attack.ask(0, "accounts/acme:setPrepaid", {"prepaid": True}).status_code == 200
        key = attack.ask(0, "accounts/acme/apiKeys", {"apiKey": {"displayName": "clients"}}).json()["key"]
        code = {"amount": {"nanos": CODE_NANOS}, "maxRedemptions": 1}
        codes = [attack.ask(number, "creditCodes", code).json()["code"] for number in range(CODES)]
        changes = (attack.suspend_and_resume, attack.change_limit, attack.pin_tier, attack.revoke_in_a_stream)
        with Clients([one.port for one in fleet], key, count=CLIENTS, seed=7) as asking:
            with attack.going_on(*changes), ThreadPoolExecutor(ATTEMPTS) as many:
                for wanted in codes:
                    list(
                        many.map(
                            lambda number, wanted=wanted: attack.ask(
                                number, "accounts/acme/creditCodes:redeem", {"code": wanted}
                            ),
                            range(ATTEMPTS),
                        )
                    )
            attack.ask(0, "accounts/acme:resume", {})
            attack.ask(0, "accounts/acme/quotas/monthly-spend-usd", {"value": 50}, method="PATCH")
            wait_spent(asking, clients=CLIENTS)
        wait_forwarded(fleet)
        _check_suspension(attack, fleet, key)
        standing = attack.ask(1, "accounts/acme/credits", None, method="GET").json()
        verified = json.loads(fleet[0].command("ledger", "verify", "--json").stdout)
    assert verified["findings"] == []
    assert attack.statuses["redeem", 200] == CODES
    assert not [status for _, status in attack.statuses if status >= 500], attack.statuses
    assert asking.statuses[500] == 0
    largest = 64 * 60 * 1_000
    assert len(asking.given) > 0
    assert CODES * CODE_NANOS * 0.9 <= verified["charged_nanodollars"] <= CODES * CODE_NANOS + CLIENTS * 2 * largest
    assert verified["charged_nanodollars"] < DOLLAR
    assert int(standing["creditsLeft"]["units"]) == 0


def _check_suspension(attack: Attack, fleet: list[Gateway], key: str) -> None:
    """It comes to hold at all gateways when one was told, and credits that come do not end it."""

    def told(gateway: Gateway) -> str:
        answer = httpx.post(
            f"http://127.0.0.1:{gateway.port}/inference/v1/chat/completions",
            headers={"Authorization": f"Bearer {key}"},
            json={"model": MODEL, "messages": [{"role": "user", "content": "x"}], "max_tokens": 1},
            timeout=60,
        )
        return f"{answer.status_code} {answer.text}"

    blocked, deadline = "the operator has blocked it", time.monotonic() + _LIMIT_S
    attack.ask(0, "accounts/acme:suspend", {})
    while not all(blocked in told(gateway) for gateway in fleet):
        assert time.monotonic() < deadline, [told(gateway) for gateway in fleet]
    attack.ask(1, "accounts/acme/credits:grant", {"amount": {"units": 0, "nanos": 1_000_000}})
    time.sleep(_NOTICED_S)
    for gateway in fleet:
        assert told(gateway).startswith("412")
        assert blocked in told(gateway)
