"""A machine whose clock is set while official clients call: nobody is refused for it, and nobody is let off."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from tests.integration.platform_process import MODEL, PlatformProcess

_WALL = """
import time
from pathlib import Path

_wall_ns, _set = time.time_ns, Path({file!r})


def _time_ns():
    return _wall_ns() + 1_000_000_000 * int(_set.read_text())


time.time_ns = _time_ns
time.time = lambda: _time_ns() / 1e9
"""
DAY_S = 86_400
LIMIT = 2_000
"""Generated tokens a minute."""


class Machine:
    """``platform`` runs where the wall clock is what it is set to."""

    def __init__(self, platform: PlatformProcess, file: Path) -> None:
        self.platform = platform
        self._file = file

    def set_clock(self, *, off_s: int) -> None:
        """By so much from the true time."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(str(off_s))
        fresh.replace(self._file)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    file = tmp_path / "off-seconds"
    file.write_text("0")
    (tmp_path / "sitecustomize.py").write_text(_WALL.format(file=str(file)))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    options = ("--limit-start-generated-tokens-per-minute", str(LIMIT))
    with PlatformProcess(tmp_path / "data", *options, environment=environment) as running:
        yield Machine(running, file)


def test_the_clock_is_set_forth_and_back_under_traffic(machine: Machine) -> None:
    """A day ahead and a day behind: streams go on, and all is answered and charged once. What an account has used of
    its minute is neither given back nor taken twice: its limit lets through what it should."""
    platform = machine.platform
    with openai.OpenAI(
        base_url=f"{platform.base_url}/inference/v1", api_key=platform.new_key("caller"), max_retries=0, timeout=600
    ) as client:
        generated, told, began_s = 0, set[int](), time.monotonic()
        for off_s in (0, DAY_S, -DAY_S, 0):
            stream = client.chat.completions.create(
                model=MODEL,
                messages=[{"role": "user", "content": "Tell me a story."}],
                max_tokens=300,
                stream=True,
                stream_options={"include_usage": True},
                extra_body={"ignore_eos": True},
            )
            for number, event in enumerate(stream):
                if number == 5:
                    machine.set_clock(off_s=off_s)
                if event.usage is not None:
                    generated += event.usage.completion_tokens
                told.add(round((int(event.id[9:21], 16) / 1000 - time.time()) / DAY_S))  # ids begin with the time
        assert (generated, told) == (4 * 300, {0, 1, -1}), "nothing is lost, and the clock was set"
        refused = None
        while refused is None and generated < 3 * LIMIT:
            machine.set_clock(off_s=DAY_S if generated % 2 else -DAY_S)
            try:
                answer = client.chat.completions.create(
                    model=MODEL,
                    messages=[{"role": "user", "content": "Tell me a story."}],
                    max_tokens=301,
                    extra_body={"ignore_eos": True},
                )
            except openai.RateLimitError as error:
                refused = error
            else:
                assert answer.usage is not None
                generated += answer.usage.completion_tokens
    assert refused is not None, "days that have not passed fill no limit up again"
    assert 0 < float(refused.response.headers["retry-after"]) < 90
    assert generated <= LIMIT * (1 + (time.monotonic() - began_s) / 60)
    machine.set_clock(off_s=0)
    platform.wait_in_books()
    assert platform.usage("caller")["generated_tokens"] == generated
