"""What happens when something is killed: exactly the requests that it carried are lost, and no money ever is."""

import os
import re
import signal
import sqlite3
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.integration.platform_process import PlatformProcess, chat
from tests.integration.streams import End, read_many, read_stream

LONG_STORY = "Tell me a very long story."
WAIT_LIMIT_S = 120.0

# Keeps generating whatever the model would like, so that streams are open when something is killed.
ENDLESS = {"max_tokens": 1_500, "ignore_eos": True, "temperature": 0.8}


@pytest.fixture
def platform(tmp_path: Path):
    with PlatformProcess(tmp_path / "data", "--drain-timeout-s", "600") as running:
        yield running


def wait_until(condition, *, what: str) -> None:
    deadline = time.monotonic() + WAIT_LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, f"waited too long until {what}"
        time.sleep(0.05)


def in_flight(client: httpx.Client, platform: PlatformProcess) -> dict[str, int]:
    replicas = client.get(f"{platform.base_url}/health").json()["replicas"]
    return {name: replica["in_flight"] for name, replica in replicas.items()}


def posted(platform: PlatformProcess) -> dict[str, tuple[str, int]]:
    """Outcome and generated tokens by request id, straight from the books."""
    platform.wait_in_books()
    with sqlite3.connect(platform.data_dir / "servery.db") as books:
        rows = books.execute("SELECT request_id, outcome, generated_tokens FROM usage_records").fetchall()
    assert len({row[0] for row in rows}) == len(rows)
    return {request_id: (outcome, generated) for request_id, outcome, generated in rows}


def test_a_killed_replica_takes_only_its_own_streams(platform: PlatformProcess):
    """Streams of the killed replica end with an error frame and are charged what was delivered; the others go on; the
    replica comes back by itself; the books hold."""
    victim = platform.engines()["shared-0"]
    with platform.client() as client:
        bodies = [chat(f"{LONG_STORY} Number {number}.", **ENDLESS, user=f"u{number}") for number in range(10)]
        seen = read_many(client, bodies, when_all_began=lambda: os.kill(victim, signal.SIGKILL))
        ends = [one.end for one in seen]
        assert set(ends) == {End.COMPLETE, End.ERROR_FRAME}
        wait_until(lambda: platform.engines().get("shared-0") not in {None, victim}, what="the replica is back")
        health = f"{platform.base_url}/health"
        wait_until(lambda: client.get(health).json()["replicas"]["shared/0"]["state"] == "ready", what="it is ready")
        after = [read_stream(client, chat("Who are you?", user=f"v{number}")).end for number in range(8)]
    assert after == [End.COMPLETE] * 8
    books = posted(platform)
    for one in seen:
        outcome, generated = books[one.request_id]
        assert outcome == ("completed" if one.end is End.COMPLETE else "engine_broke")
        assert generated == one.usage["completion_tokens"] if one.end is End.COMPLETE else generated > 0
    assert platform.command("ledger", "verify").returncode == 0


def test_requests_that_had_not_begun_are_served_elsewhere(platform: PlatformProcess):
    """A request whose replica dies before its first byte does not fail: whole answers are simply asked for again."""
    victim = platform.engines()["shared-0"]
    with platform.client() as client:
        bodies = [chat(f"Who are you? {number}", max_tokens=400, ignore_eos=True) for number in range(6)]
        with ThreadPoolExecutor(len(bodies)) as callers:
            calls = [callers.submit(client.post, "/chat/completions", json=body) for body in bodies]
            wait_until(lambda: in_flight(client, platform)["shared/0"] > 0, what="the replica is at work")
            os.kill(victim, signal.SIGKILL)
            statuses = [call.result().status_code for call in calls]
    assert statuses == [200] * 6
    assert len(posted(platform)) == 6
    assert platform.command("ledger", "verify").returncode == 0


def test_a_killed_platform_loses_no_completed_response(platform: PlatformProcess):
    """After ``kill -9`` under load and a restart: every response that a client saw whole is in the ledger once, none
    that was cut is charged, the books hold, and no engine is left behind."""
    with platform.client() as client:
        quick = [chat(f"Who are you? {number}", user=f"u{number}") for number in range(12)]
        slow = [chat(f"{LONG_STORY} {number}", **ENDLESS, user=f"w{number}") for number in range(6)]
        complete = [read_stream(client, body) for body in quick]
        engines = platform.engines()
        cut = read_many(client, slow, when_all_began=platform.kill)
    assert {one.end for one in complete} == {End.COMPLETE}
    assert End.CUT in {one.end for one in cut}
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in engines.values()), what="engines are gone")
    platform.start()
    books = posted(platform)
    for one in [*complete, *cut]:
        assert (one.request_id in books) == (one.end is End.COMPLETE)
    verified = platform.command("ledger", "verify")
    assert verified.returncode == 0, verified.stdout
    assert sum(one.end is End.CUT for one in cut) == int(re.search(r"(\d+) requests were cut", verified.stdout)[1])


def test_a_client_that_leaves_stops_its_engine_and_pays_for_what_it_got(platform: PlatformProcess):
    """A closed stream frees its place at once, and is charged its prompt and what was generated until then."""
    with platform.client() as client:
        with client.stream("POST", "/chat/completions", json=chat(LONG_STORY, **ENDLESS, n=4, stream=True)) as response:
            request_id = response.headers["x-request-id"]
            for number, _ in enumerate(response.iter_lines()):
                if number > 20:
                    break
        wait_until(lambda: request_id in posted(platform), what="it is charged")
        left = in_flight(client, platform)
    outcome, generated = posted(platform)[request_id]
    assert outcome == "client_gone"
    assert 5 <= generated < 4 * 1_500
    assert set(left.values()) == {0}


def test_ctrl_c_lets_streams_finish_and_leaves_nothing_behind(platform: PlatformProcess):
    """Open streams end whole, new connections are refused, every engine ends, the exit status is 0."""
    engines = platform.engines()
    assert len(engines) == 4
    with platform.client() as client:
        bodies = [chat(f"{LONG_STORY} {number}", **ENDLESS) for number in range(3)]
        seen = read_many(client, bodies, when_all_began=lambda: os.kill(platform.pid, signal.SIGINT))
    assert [one.end for one in seen] == [End.COMPLETE] * 3
    wait_until(lambda: not platform.is_running, what="the platform has ended")
    assert platform.stop() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in engines.values())
    assert platform.command("ledger", "verify").returncode == 0


def test_printed_curl_lines_work_when_pasted(platform: PlatformProcess):
    """Each curl line of the welcome answers 200 with text, through a shell."""
    lines = [line for line in platform.output.splitlines() if line.startswith("curl ")]
    assert len(lines) == 4
    for line in lines:
        pasted = subprocess.run(line, shell=True, capture_output=True, text=True, check=True, timeout=60)
        assert "Servery" in pasted.stdout or '"content"' in pasted.stdout
        assert '"error"' not in pasted.stdout


def test_a_data_directory_serves_one_platform_at_a_time(platform: PlatformProcess):
    """A second platform on the same directory says so in one line and ends."""
    second = platform.command("serve", "--port", "0")
    assert second.returncode == 2
    assert "another servery is running" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1


def test_a_second_ctrl_c_does_not_wait(platform: PlatformProcess):
    """Streams that go on are cut off by a second signal, with an error frame; what they got is charged, and the books
    hold."""
    with platform.client() as client:
        bodies = [chat(f"{LONG_STORY} {number}", **ENDLESS, n=4) for number in range(3)]

        def stop_twice() -> None:
            os.kill(platform.pid, signal.SIGINT)
            wait_until(lambda: "Stopping" in platform.output, what="the first signal is heard")
            os.kill(platform.pid, signal.SIGINT)

        seen = read_many(client, bodies, when_all_began=stop_twice)
    wait_until(lambda: not platform.is_running, what="the platform has ended")
    assert platform.stop() == 0
    assert {one.end for one in seen} == {End.ERROR_FRAME}
    assert {outcome for outcome, _ in posted(platform).values()} == {"platform_ended"}
    assert platform.command("ledger", "verify").returncode == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_what_runs_longer_than_the_drain_is_cut_with_a_word(tmp_path: Path, workers: int):
    """After SIGTERM and ``drain_timeout_s``: streams get an error frame and pay for what they got, a whole answer is a
    503 and costs nothing; the exit status is 0, and the books hold."""
    options = ("--drain-timeout-s", "0.2", "--workers", str(workers))
    with PlatformProcess(tmp_path / "data", *options) as platform, platform.client() as client:
        body = chat(LONG_STORY, **ENDLESS, n=3)
        with ThreadPoolExecutor(1) as callers:
            whole = callers.submit(client.post, "/chat/completions", json=body)
            seen = read_many(client, [body] * 2, when_all_began=lambda: os.kill(platform.pid, signal.SIGTERM))
            assert [one.end for one in seen] == [End.ERROR_FRAME] * 2
            refused = whole.result()
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert refused.json()["error"]["message"] == "the server is shutting down"
        wait_until(lambda: not platform.is_running, what="the platform has ended")
        assert platform.stop() == 0
        books = posted(platform)
        assert set(books) == {one.request_id for one in seen}
        assert {outcome for outcome, _ in books.values()} == {"platform_ended"}
        assert all(generated > 0 for _, generated in books.values())
        assert platform.command("ledger", "verify").returncode == 0
