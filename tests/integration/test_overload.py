"""A pool that is full: a bounded queue, Priority before Standard, and an honest 503 beyond it."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import anthropic
import httpx
import openai
import pytest

from tests.integration.platform_process import MODEL, PlatformProcess, chat

CATALOG = """
pools:
  only:
    engine: {kind: embedded, model: demo, slots: 2, context_length: 2048}
    replicas: 1
    concurrency: 1
    queue: 3
models:
  demo:
    pool: only
    context_length: 2048
    capabilities: [chat]
    prices:
      standard: {input: 1, output: 1}
      priority: {input: 2, output: 2}
    created: 2026-11-20
"""


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory):
    directory = tmp_path_factory.mktemp("overload")
    (directory / "catalog.yaml").write_text(CATALOG)
    patient = {**os.environ, "SERVERY_STANDARD_WAIT_BUDGET_S": "600"}  # however slow the machine: nobody is shed for it
    options = ("--catalog", str(directory / "catalog.yaml"))
    with PlatformProcess(directory / "data", *options, environment=patient) as running:
        yield running


def wait_for_queue(platform: PlatformProcess, client: httpx.Client, length: int) -> None:
    """Until the only place is taken, and so many wait for it."""
    deadline = time.monotonic() + 30
    wanted = (f'servery_queue_waiting{{pool="only"}} {length}.0', 'servery_replica_in_flight{replica="only/0"} 1.0')
    while not all(line in client.get(f"{platform.base_url}/metrics").text for line in wanted):
        assert time.monotonic() < deadline, f"the queue never held {length}"
        time.sleep(0.002)


def test_queue_is_bounded_and_priority_goes_first(full: PlatformProcess):
    """With the queue full of Standard, Standard is refused with 503 and Retry-After while Priority gets in: it takes
    the newest Standard's place, and is served before the others."""
    long, short = {"max_tokens": 1_200, "ignore_eos": True}, {"max_tokens": 2}
    order: list[str] = []

    def send(name: str, **fields):
        answer = client.post("/chat/completions", json=chat("Tell me a story.", **fields))
        order.append(name)
        return answer

    with full.client() as client, ThreadPoolExecutor(6) as callers:
        running = callers.submit(send, "running", **long)
        wait_for_queue(full, client, 0)
        queued = []
        for number in range(3):
            queued.append(callers.submit(send, f"standard {number}", **short))
            wait_for_queue(full, client, number + 1)
        refused = send("refused", **short)
        priority = callers.submit(send, "priority", service_tier="priority", **short)
        answers = [one.result() for one in queued]
    assert refused.status_code == 503
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.json()["error"]["message"] == "service overloaded, please try again later"
    assert (running.result().status_code, priority.result().status_code) == (200, 200)
    assert [answer.status_code for answer in answers] == [200, 200, 503]
    assert order.index("priority") < min(order.index("standard 0"), order.index("standard 1"))
    assert priority.result().json()["service_tier"] == "priority"


def test_sdks_see_an_overloaded_server(full: PlatformProcess):
    """Official clients raise their own errors for a 503, in both dialects."""
    with full.client() as client, ThreadPoolExecutor(4) as callers:
        fields = {"max_tokens": 1_800, "ignore_eos": True}
        calls = [callers.submit(client.post, "/chat/completions", json=chat(f"Go on {n}.", **fields)) for n in range(4)]
        wait_for_queue(full, client, 3)
        ask = {"model": MODEL, "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}
        with openai.OpenAI(base_url=f"{full.base_url}/v1", api_key=full.key, max_retries=0) as one:
            with pytest.raises(openai.InternalServerError) as refused:
                one.chat.completions.create(**ask)
            assert refused.value.status_code == 503
        with anthropic.Anthropic(base_url=full.base_url, api_key=full.key, max_retries=0) as other:
            with pytest.raises(anthropic.APIStatusError) as refused:
                other.messages.create(**ask)
            assert refused.value.status_code == 503
            assert refused.value.body["error"]["type"] == "overloaded_error"
        assert [call.result().status_code for call in calls] == [200] * 4
