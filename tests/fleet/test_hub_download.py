"""The download's process: asked over standard input, answering over standard output."""

import os
import pty
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from importlib import resources
from pathlib import Path

import msgspec
import pytest
from tests.fakes.fake_hub import FakeHub

from servery.fleet.hub_order import HubFiles, HubOrder, HubRefusal

WAIT_LIMIT_S = 180.0
MODEL = (resources.files("servery") / "assets" / "servery-demo.gguf").read_bytes()
SMALL = b"GGUF" + bytes(100_000)
TINY = "org/tiny"


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    files = {
        "README.md": b"read me",
        "tiny-Q8_0.gguf": MODEL,
        "big/big-F16-00001-of-00002.gguf": SMALL,
        "big/big-F16-00002-of-00002.gguf": SMALL[:10],
    }
    with FakeHub({TINY: files, "org/words": {"README.md": b"only words"}}) as serving:
        yield serving


def start(hub: FakeHub, directory: Path, repository: str, quantization: str | None = None, **changes: str):
    """The child, with its order in its pipe. Standard input stays open, as the platform holds it."""
    stderr = changes.pop("stderr", None)
    child = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "servery.fleet.hub_download"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if stderr is None else int(stderr),
        env={**hub.environment(directory / "home"), "HF_HUB_DISABLE_TELEMETRY": "1", **changes},
    )
    order = HubOrder(repository=repository, quantization=quantization, directory=str(directory / "models"))
    assert child.stdin is not None
    child.stdin.write(msgspec.json.encode(order) + b"\n")
    child.stdin.flush()
    return child


def reply_of(child: subprocess.Popen[bytes]) -> HubFiles | HubRefusal:
    """What the child answers; it ends by itself, without a word on standard error."""
    with child:
        assert child.stdout is not None
        line = child.stdout.readline()
        errors = child.stderr.read().decode() if child.stderr is not None else ""
        assert child.wait(WAIT_LIMIT_S) == 0, errors
    assert "Traceback" not in errors
    return msgspec.json.decode(line, type=HubFiles | HubRefusal)


def refusal_of(child: subprocess.Popen[bytes]) -> str:
    reply = reply_of(child)
    assert isinstance(reply, HubRefusal), reply
    assert "\n" not in reply.reason
    return reply.reason


def test_the_model_is_downloaded(hub: FakeHub, tmp_path: Path) -> None:
    """The file is the hub's to the byte, in a directory of its repository; nothing else is asked for, and nothing is
    told about this machine."""
    reply = reply_of(start(hub, tmp_path, TINY, "q8_0"))
    file = tmp_path / "models" / "org" / "tiny" / "tiny-Q8_0.gguf"
    assert reply == HubFiles((str(file),))
    assert file.read_bytes() == MODEL
    asked = {path.rpartition("/")[2] for _, path in hub.requests}
    assert asked == {"tiny", "tiny-Q8_0.gguf"}
    assert not any(word in agent for agent in hub.agents for word in ("torch", "agent/"))


def test_a_file_that_is_there_is_not_loaded_again(hub: FakeHub, tmp_path: Path) -> None:
    """A second order for the same version sends no file."""
    first = reply_of(start(hub, tmp_path, TINY, "Q8_0"))
    assert reply_of(start(hub, tmp_path, TINY)) == first
    assert len(hub.downloads()) == 1


def test_a_split_model_is_downloaded_whole(hub: FakeHub, tmp_path: Path) -> None:
    """Each part is there when the first is named."""
    reply = reply_of(start(hub, tmp_path, TINY, "F16"))
    assert isinstance(reply, HubFiles)
    assert [Path(file).read_bytes() for file in reply.files] == [SMALL, SMALL[:10]]
    assert reply.files[0].endswith("-00001-of-00002.gguf")


def test_what_a_killed_download_left_is_removed(hub: FakeHub, tmp_path: Path) -> None:
    """Partial files of before do not pile up."""
    left = tmp_path / "models" / "org" / "tiny" / ".cache" / "huggingface" / "download" / "big" / "x.1.incomplete"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    reply_of(start(hub, tmp_path, TINY, "Q8_0"))
    assert not left.exists()


@pytest.mark.parametrize(
    ("repository", "refused", "told"),
    [
        ("org/nothing", None, "{url} has no repository org/nothing, or it is a private one: then set HF_TOKEN"),
        (
            "org/private",
            (401, "RepoNotFound"),
            "{url} has no repository org/private, or it is a private one: then set HF_TOKEN",
        ),
        ("org/words", None, "org/words has no GGUF file of a model"),
        ("org/..", None, "'org/..' is not a name that the hub can have"),
        (TINY, (403, "GatedRepo"), "org/tiny asks to accept its terms: do so on its page at {url}, and set HF_TOKEN"),
        (TINY, (403, ""), "{url} refuses org/tiny: set HF_TOKEN to a token that may read it"),
        ("org/odd", (418, ""), "{url} answered 418 when asked for org/odd"),
    ],
)
def test_a_refusal_says_what_to_do(
    hub: FakeHub, tmp_path: Path, repository: str, refused: tuple[int, str] | None, told: str
) -> None:
    """One line, as an answer and not as a crash."""
    if refused is not None:
        hub.refusals[repository] = refused
    assert refusal_of(start(hub, tmp_path, repository)).startswith(told.format(url=hub.url))


def test_an_unknown_quantization_names_those_there_are(hub: FakeHub, tmp_path: Path) -> None:
    """The operator can correct it without a look at the hub's page."""
    reason = refusal_of(start(hub, tmp_path, TINY, "Q4_K_M"))
    assert reason == (
        "org/tiny has no GGUF file with 'Q4_K_M' in its name, but tiny-Q8_0.gguf, big/big-F16-00001-of-00002.gguf"
    )


def test_no_network_is_told(hub: FakeHub, tmp_path: Path) -> None:
    """A hub that cannot be reached, and one that must not be asked."""
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    assert "no connection to http://127.0.0.1:9 for org/tiny: " in refusal_of(start(hub, tmp_path, TINY, **nowhere))
    assert "HF_HUB_OFFLINE" in refusal_of(start(hub, tmp_path, TINY, HF_HUB_OFFLINE="1"))


def test_a_full_or_forbidden_disk_is_told(hub: FakeHub, tmp_path: Path) -> None:
    """The system's own words, with the path."""
    (tmp_path / "models").write_text("a file where the directory should be")
    assert str(tmp_path / "models") in refusal_of(start(hub, tmp_path, TINY))


def test_it_ends_with_the_platform(hub: FakeHub, tmp_path: Path) -> None:
    """When standard input closes in the midst of a download, the process ends and leaves no partial file."""
    hub.stalled.add("tiny-Q8_0.gguf")
    with start(hub, tmp_path, TINY) as child:
        assert hub.began.wait(WAIT_LIMIT_S)
        child.stdin.close()
        assert child.wait(WAIT_LIMIT_S) != 0
        assert child.stdout.read() == b""
        assert b"Traceback" not in child.stderr.read()
    left = [file for file in (tmp_path / "models").rglob("*") if file.suffix in {".gguf", ".incomplete"}]
    assert left == []


def test_a_terminal_sees_a_progress_bar(hub: FakeHub, tmp_path: Path) -> None:
    """On standard error, where that is one."""
    terminal, stderr = pty.openpty()
    termios.tcsetwinsize(stderr, (24, 80))
    child = start(hub, tmp_path, TINY, "Q8_0", stderr=str(stderr))
    os.close(stderr)
    shown = ""
    with suppress(OSError):  # the system's way to say that nobody writes any more
        while piece := os.read(terminal, 4096):
            shown += piece.decode()
    os.close(terminal)
    assert isinstance(reply_of(child), HubFiles)
    assert "tiny-Q8_0.gguf" in shown
    assert "100%" in shown
