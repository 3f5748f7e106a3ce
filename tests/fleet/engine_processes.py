"""Embedded engines' processes, as the system knows them."""

import asyncio
from pathlib import Path

_MODULE = b"servery.fleet.embedded_engine"


def engines_of(parent: int) -> set[int]:
    """The ids of living engine processes that ``parent`` started."""
    found = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and _parent(folder) == parent and _MODULE in _command(folder):
            found.add(int(folder.name))
    return found


def is_alive(process: int) -> bool:
    """Whether it exists and is more than a zombie."""
    return _status(Path(f"/proc/{process}")).get("State", "Z")[0] != "Z"


def told_of(process: int) -> tuple[bytes, bytes]:
    """What anybody on the machine may read of it: its arguments and its environment."""
    folder = Path(f"/proc/{process}")
    return (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()


async def wait_gone(process: int) -> None:
    async with asyncio.timeout(60):
        while is_alive(process):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def _parent(folder: Path) -> int:
    return int(_status(folder).get("PPid", "0"))


def _command(folder: Path) -> bytes:
    try:
        return (folder / "cmdline").read_bytes()
    except OSError:
        return b""


def _status(folder: Path) -> dict[str, str]:
    try:
        lines = (folder / "status").read_text().splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
