"""Under which name a gateway borrows money: in a file, so that its next start can give back what a killed one had."""

from pathlib import Path
from typing import Final

_SUFFIX: Final = ".borrower"


class BorrowerFile:
    """One for each worker of a platform, in ``directory``."""

    def __init__(self, directory: Path, worker: int) -> None:
        self._file = directory / f"{worker}{_SUFFIX}"

    def replace(self, writer: str) -> list[str]:
        """From now on it is ``writer``. Returns the name that stood here before, if any."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = [self._file.read_text(encoding="ascii")] if self._file.is_file() else []
        fresh = self._file.with_suffix(".new")
        fresh.write_text(writer, encoding="ascii")
        fresh.replace(self._file)
        return before


def retired_borrowers(directory: Path, *, workers: int) -> list[str]:
    """The names of workers that a platform with so many does not have: it had more before. Forgets them."""
    own = {directory / f"{worker}{_SUFFIX}" for worker in range(workers)}
    names = []
    for file in sorted(set(directory.glob(f"*{_SUFFIX}")) - own):
        names.append(file.read_text(encoding="ascii"))
        file.unlink()
    return names
