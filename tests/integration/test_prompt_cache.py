"""Prompt caching is the engine's own, is kept apart by account, and is charged as it is shown."""

import re
import sqlite3
from collections.abc import Iterator

import httpx
import pytest

from tests.integration.platform_process import MODEL, PlatformProcess, chat

LONG = "Remember these words: " + "river stone cloud window " * 80 + "."


def test_second_request_shows_cached_tokens_everywhere(platform: PlatformProcess):
    """The same prompt again: cached in ``usage``, in the header, and in the charge."""
    key = platform.new_key("cache-everywhere")
    with platform.client(key) as client:
        answers = [client.post("/chat/completions", json=chat(LONG, max_tokens=4)) for _ in range(2)]
    first, second = (answer.json()["usage"] for answer in answers)
    assert first["prompt_tokens_details"]["cached_tokens"] == 0
    assert second["prompt_tokens_details"]["cached_tokens"] >= second["prompt_tokens"] - 2
    header = int(answers[1].headers["fireworks-cached-prompt-tokens"])
    assert header == second["prompt_tokens_details"]["cached_tokens"]
    used = platform.usage("cache-everywhere")
    assert used["cached_prompt_tokens"] == header
    uncached = used["prompt_tokens"] - header
    assert used["nanodollars"] == (uncached * 100_000 + header * 50_000 + used["generated_tokens"] * 400_000) // 1_000


def test_another_account_sees_nothing_cached(platform: PlatformProcess):
    """Accounts never share a cache: the second to send a prompt finds none of it, not even the template's tokens.

    More accounts than all slots together, so that slots change hands.
    """
    keys = [platform.new_key(f"stranger-{number}") for number in range(40)]
    for key in keys:
        with platform.client(key) as client:
            usage = client.post("/chat/completions", json=chat(LONG, max_tokens=1)).json()["usage"]
        assert usage["prompt_tokens_details"]["cached_tokens"] == 0


def test_isolation_key_separates_within_an_account(platform: PlatformProcess):
    """``prompt_cache_isolation_key`` keeps cache entries of one account apart."""
    with platform.client(platform.new_key("isolated")) as client:
        cached = [
            client.post("/chat/completions", json=chat(LONG, max_tokens=1, prompt_cache_isolation_key=key)).json()[
                "usage"
            ]["prompt_tokens_details"]["cached_tokens"]
            for key in ("one", "two", "one")
        ]
    assert cached[:2] == [0, 0]
    assert cached[2] > 100


@pytest.mark.parametrize("affinity", [True, False])
def test_growing_conversations_stay_cached(platform: PlatformProcess, affinity: bool):
    """Of twenty conversations that grow in turn, nearly all of what was sent before is found cached."""
    with platform.client(platform.new_key(f"growing-{str(affinity).lower()}")) as client:
        talks = [[{"role": "user", "content": f"I am guest {n}. " + f"Item {n} is here. " * 20}] for n in range(20)]
        sent = [0] * len(talks)
        resent = cached = 0
        for turn in range(4):
            for number, talk in enumerate(talks):
                headers = {"x-session-affinity": f"guest-{number}"} if affinity else {}
                body = {"model": MODEL, "messages": talk, "max_tokens": 16, "temperature": 0}
                answer = client.post("/chat/completions", json=body, headers=headers).json()
                resent += sent[number]
                if turn:
                    cached += answer["usage"]["prompt_tokens_details"]["cached_tokens"]
                sent[number] = answer["usage"]["prompt_tokens"]
                talk.append({"role": "assistant", "content": answer["choices"][0]["message"]["content"]})
                talk.append({"role": "user", "content": f"And question {turn}?"})
    assert cached >= 0.9 * resent


@pytest.fixture(scope="module")
def fresh_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformProcess]:
    """One whose replicas have computed nothing yet: where one has computed far more than another, that is made even
    first, and sessions move."""
    with PlatformProcess(tmp_path_factory.mktemp("fresh") / "data") as running:
        yield running


@pytest.mark.parametrize("way", ["x-session-affinity", "prompt_cache_key", "user"])
def test_a_session_stays_on_its_replica(fresh_platform: PlatformProcess, way: str):
    """Requests that share nothing but their session go to one replica; sessions are spread over replicas."""
    account = f"pinned-{way.replace('_', '-')}"
    homes: dict[str, set[str]] = {}
    with fresh_platform.client(fresh_platform.new_key(account)) as client:
        for number in range(36):
            session = f"session {number % 12}"
            body, headers = chat(f"{number} is the number.", max_tokens=1), {}
            if way == "x-session-affinity":
                headers[way] = session
            else:
                body[way] = session
            request_id = client.post("/chat/completions", json=body, headers=headers).headers["x-request-id"]
            fresh_platform.wait_in_books()
            with sqlite3.connect(fresh_platform.data_dir / "servery.db") as books:
                query = "SELECT replica FROM usage_records WHERE request_id = ?"
                homes.setdefault(session, set()).add(books.execute(query, [request_id]).fetchone()[0])
    assert all(len(replicas) == 1 for replicas in homes.values())
    assert set.union(*homes.values()) == {"shared/0", "shared/1"}


def test_an_operator_sees_how_a_request_was_routed(platform: PlatformProcess):
    """With an admin's key and when asked for; never with another, and never unasked. The slots that hold the prompt's
    prefix are told."""
    words = "Remember the operator's words: " + "hill lake road tower " * 60
    debug = {"x-servery-debug": "1"}
    with platform.client() as client:
        told = [client.post("/chat/completions", json=chat(words, max_tokens=1), headers=debug) for _ in range(2)]
        unasked = client.post("/chat/completions", json=chat(words, max_tokens=1))
    assert "x-servery-route" not in unasked.headers
    routes = [answer.headers["x-servery-route"] for answer in told]
    assert all(route.startswith("reason=") and "cost=" in route for route in routes)
    assert routes[1].startswith("reason=prefix; shared/")
    with platform.client(platform.new_key("no-operator")) as client:
        assert (
            "x-servery-route"
            not in client.post("/chat/completions", json=chat(words, max_tokens=1), headers=debug).headers
        )


def test_predictions_of_cached_tokens_come_true(platform: PlatformProcess):
    """Over conversations that grow, and questions to one system prompt, on engines whose caches are real: the mean
    error is at most a twentieth of the prompts."""

    def sums() -> tuple[float, float]:
        text = httpx.get(f"{platform.base_url}/metrics", timeout=60).text
        found = {
            name: sum(float(value) for value in re.findall(rf"^servery_routing_{name}\S* (\S+)$", text, re.MULTILINE))
            for name in ("prompt_tokens", "cached_error_tokens")
        }
        return found["prompt_tokens"], found["cached_error_tokens"]

    before = sums()
    with platform.client(platform.new_key("predicted")) as client:
        for guest in range(6):
            talk = [{"role": "system", "content": f"You serve guest {guest}. " + "Be brief and kind. " * 30}]
            for turn in range(5):
                talk.append({"role": "user", "content": f"Question {turn}: " + "what is on the menu today? " * 3})
                body = {"model": MODEL, "messages": talk, "max_tokens": 24, "temperature": 0}
                answer = client.post("/chat/completions", json=body).json()
                talk.append({"role": "assistant", "content": answer["choices"][0]["message"]["content"]})
    prompt_tokens, error_tokens = (now - then for now, then in zip(sums(), before, strict=True))
    assert prompt_tokens > 5_000
    assert error_tokens <= 0.05 * prompt_tokens, (error_tokens, prompt_tokens)
