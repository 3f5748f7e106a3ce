"""Which downloaded files are which weights."""

from pathlib import Path

import msgspec

from servery.catalog.weights import Weights


class WeightsIndex:
    """``index.json`` in ``directory``: for each name of weights the files that were downloaded for it, relative to
    ``directory``, which may be moved as a whole. So what is there is found without asking the hub.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file = directory / "index.json"

    def find(self, weights: Weights) -> Path | None:
        """The file to load; None where these weights were not downloaded, or a file of theirs is gone."""
        files = [self._directory / name for name in self._read().get(str(weights), ())]
        return files[0] if files and all(file.is_file() for file in files) else None

    def add(self, weights: Weights, files: tuple[Path, ...]) -> None:
        """Note ``files``, all below the directory, the one to load first. Durable in one step."""
        names = [str(file.relative_to(self._directory)) for file in files]
        text = msgspec.json.format(msgspec.json.encode({**self._read(), str(weights): names}))
        written = self._file.with_suffix(".new")
        written.write_bytes(text + b"\n")
        written.replace(self._file)

    def _read(self) -> dict[str, list[str]]:
        """All that is noted; nothing where the file is not there or is damaged: it can always be made again."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, list[str]])
        except (FileNotFoundError, msgspec.MsgspecError):
            return {}
