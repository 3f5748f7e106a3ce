"""The documentation of the running Python: topics and docstrings of the standard library (PSF licence)."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
import warnings
from collections.abc import Iterator
from pydoc_data import topics
from types import ModuleType

SKIPPED = {"antigravity", "this", "idlelib", "lib2to3", "test", "turtledemo", "tkinter", "turtle"}
SHORTEST = 120


def texts() -> list[str]:
    """Every topic and every distinct docstring worth reading, in a fixed order."""
    found = [text for _, text in sorted(topics.topics.items())]
    seen: set[str] = set()
    for module in _modules():
        for text in _docstrings(module):
            if len(text) >= SHORTEST and text not in seen:
                seen.add(text)
                found.append(text)
    return found


def _modules() -> Iterator[ModuleType]:
    names = sorted(name for name in sys.stdlib_module_names if not name.startswith("_") and name not in SKIPPED)
    for name in names:
        module = _imported(name)
        if module is None:
            continue
        yield module
        for inner in sorted(info.name for info in pkgutil.iter_modules(getattr(module, "__path__", []))):
            if not inner.startswith("_"):
                child = _imported(f"{name}.{inner}")
                if child is not None:
                    yield child


def _imported(name: str) -> ModuleType | None:
    """The module, or nothing where this machine lacks it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except (ImportError, AttributeError, OSError):
        return None


def _docstrings(module: ModuleType) -> Iterator[str]:
    yield inspect.getdoc(module) or ""
    for _, thing in sorted(vars(module).items(), key=lambda item: item[0]):
        if getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(thing) or inspect.isroutine(thing):
            yield inspect.getdoc(thing) or ""
        if inspect.isclass(thing):
            yield from (inspect.getdoc(m) or "" for _, m in sorted(vars(thing).items()) if inspect.isroutine(m))
