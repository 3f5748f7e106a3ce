"""Where an embedded engine's weights come from."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Self

PACKAGED_MODEL = "demo"

_HUGGING_FACE = re.compile(r"^(?P<repository>[\w.-]+/[\w.-]+)(?::(?P<quantization>[\w.-]+))?$")


class WeightsKind(StrEnum):
    """The three ways in which a catalog names weights."""

    PACKAGED = "packaged"
    FILE = "file"
    HUGGING_FACE = "hugging_face"


class Weights:
    """The packaged demo model, a GGUF file, or a Hugging Face repository, to be downloaded.

    Exactly one of ``file`` and ``repository`` is set, by ``kind``; neither for the packaged model. Frozen by
    convention; a plain class and not a Struct because a catalog writes it as one word.
    """

    __slots__ = ("file", "kind", "quantization", "repository")

    def __init__(
        self,
        kind: WeightsKind,
        *,
        file: Path | None = None,
        repository: str | None = None,
        quantization: str | None = None,
    ) -> None:
        assert (file is not None) == (kind is WeightsKind.FILE), "a file is named by a path"
        assert (repository is not None) == (kind is WeightsKind.HUGGING_FACE), "a repository is named by its name"
        self.kind = kind
        self.file = file
        self.repository = repository
        self.quantization = quantization

    @classmethod
    def parse(cls, text: str, directory: Path) -> Self:
        """``demo``, a path that ends in ``.gguf`` (relative to ``directory``), or ``org/repository[:quantization]``.

        Raises ValueError when it is none of these, or when the file is not there.
        """
        if text == PACKAGED_MODEL:
            return cls(WeightsKind.PACKAGED)
        if text.endswith(".gguf"):
            file = directory / Path(text).expanduser()
            if not file.is_file():
                raise ValueError(f"there is no file {file}")
            return cls(WeightsKind.FILE, file=file.resolve())
        named = _HUGGING_FACE.match(text)
        if named is None:
            raise ValueError(
                f"{text!r} is neither {PACKAGED_MODEL!r}, nor a path ending in .gguf,"
                " nor a Hugging Face name (org/repository or org/repository:quantization)"
            )
        return cls(WeightsKind.HUGGING_FACE, repository=named["repository"], quantization=named["quantization"])

    def __str__(self) -> str:
        if self.repository is not None:
            return self.repository if self.quantization is None else f"{self.repository}:{self.quantization}"
        return str(self.file) if self.file is not None else PACKAGED_MODEL

    def __repr__(self) -> str:
        return f"Weights({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Weights) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))
