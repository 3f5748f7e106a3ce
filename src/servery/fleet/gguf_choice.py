"""Which files of a repository are the model."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from servery.fleet.weights_unavailable import WeightsUnavailable

_PREFERRED: Final = ("Q4_K_M", "Q8_0")
"""What is taken where no quantization is named: the usual balance of size and quality, then the nearly lossless one."""

_PART: Final = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)
_NO_MODEL: Final = re.compile(r"(^|[^a-z])(mmproj|imatrix)", re.IGNORECASE)
"""GGUF files that go with a model: projectors of images, and statistics that quantization uses."""

_MOST_NAMED: Final = 12


def choose_files(names: Iterable[str], quantization: str | None) -> tuple[str, ...]:
    """The files of one model among ``names`` (paths in a repository): one, or all parts of one that is split, in
    their order.

    ``quantization`` is a word of the file's path, such as ``Q4_K_M``, in capitals or not. Without one it is Q4_K_M,
    else Q8_0, else whichever there is. Of several that fit, the one with the shortest path: variants have longer ones.

    Raises WeightsUnavailable when none fits. Does not look at what is in the files.
    """
    known = frozenset(names)
    models = sorted((parts for name in known if (parts := _model(name, known))), key=lambda parts: _size(parts[0]))
    if not models:
        raise WeightsUnavailable("has no GGUF file of a model")
    if quantization is not None:
        fitting = _having(quantization, models)
        if not fitting:
            raise WeightsUnavailable(f"has no GGUF file with {quantization!r} in its name, but {_listed(models)}")
        return fitting[0]
    return next((fitting[0] for word in _PREFERRED if (fitting := _having(word, models))), models[0])


def _model(name: str, known: frozenset[str]) -> tuple[str, ...]:
    """The files of the model that begins with ``name``; empty where none begins there, or a part is missing."""
    if not name.lower().endswith(".gguf") or _NO_MODEL.search(name.rpartition("/")[2]):
        return ()
    part = _PART.fullmatch(name)
    if part is None:
        return (name,)
    if int(part["number"]) != 1:
        return ()
    ending = name[part.end("count") :]
    parts = tuple(f"{part['stem']}-{one:05}-of-{part['count']}{ending}" for one in range(1, int(part["count"]) + 1))
    return parts if known.issuperset(parts) else ()


def _having(word: str, models: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Those with ``word`` in their path, as a word: Q4_K is not in Q4_K_M, and Q4_0 not in IQ4_0."""
    whole = re.compile(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9_])", re.IGNORECASE)
    return [parts for parts in models if whole.search(parts[0])]


def _size(name: str) -> tuple[int, str]:
    return len(name), name


def _listed(models: Sequence[tuple[str, ...]]) -> str:
    named = ", ".join(parts[0] for parts in models[:_MOST_NAMED])
    return f"{named} and {len(models) - _MOST_NAMED} more" if len(models) > _MOST_NAMED else named
