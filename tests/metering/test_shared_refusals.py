"""Refusals of several workers, found whichever is asked."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from servery.core.siblings import Siblings
from servery.metering.refused_requests import RefusedRequest, RefusedRequests
from servery.metering.shared_refusals import SharedRefusals


def refusal(request_id: str) -> RefusedRequest:
    return RefusedRequest(
        request_id=request_id,
        account="a",
        key_id="key_1",
        status=429,
        code="RATE_LIMIT_EXCEEDED",
        message="too much\nby far",
        retry_after_s=1.5,
        refused_ns=7,
    )


@pytest.fixture
async def workers(tmp_path: Path) -> AsyncIterator[list[tuple[RefusedRequests, SharedRefusals]]]:
    """Three, each of which has refused one request: ``r0``, ``r1``, ``r2``."""
    made = []
    for index in range(3):
        own = RefusedRequests()
        own.add(refusal(f"r{index}"))
        made.append((own, SharedRefusals(own, Siblings(tmp_path / "workers", "refusals", index=index, count=3))))
    for _, shared in made:
        await shared.open()
    yield made
    for _, shared in made:
        shared.close()


async def test_every_worker_finds_every_refusal(workers: list[tuple[RefusedRequests, SharedRefusals]]) -> None:
    """The same as the one that refused; of its own account alone; and none that there was not."""
    for _, shared in workers:
        for number in range(3):
            assert await shared.find("a", f"r{number}") == refusal(f"r{number}")
            assert await shared.find("b", f"r{number}") is None
        assert await shared.find("a", "r3\n") is None


async def test_a_worker_that_is_gone_knows_nothing(workers: list[tuple[RefusedRequests, SharedRefusals]]) -> None:
    """The others are asked all the same."""
    workers[1][1].close()
    assert await workers[0][1].find("a", "r1") is None
    assert await workers[0][1].find("a", "r2") == refusal("r2")
