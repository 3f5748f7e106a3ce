"""The modules that ``make wheel`` compiles keep the rules under which mypyc means the same as Python."""

import ast
import importlib
import os
import pkgutil
import tomllib
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType

import msgspec

import servery

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
COMPILED = os.environ.get("FORM_UNDER_TEST") == "compiled"
APART = "servery.__main__"
"""Importing it starts the command."""


def listed() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    hook = project["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]
    assert hook["enable-by-default"] is False
    return list(hook["modules"])


NATIVE = listed()


def source_of(module: str) -> Path:
    return SOURCE / f"{module.replace('.', '/')}.py"


def classes_of(module: ModuleType) -> Iterator[type]:
    return (each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__)


def is_named_tuple(each: type) -> bool:
    return issubclass(each, tuple) and hasattr(each, "_fields")


def test_each_is_named_once_in_order() -> None:
    """So that two who extend the list meet in the same line."""
    assert sorted(set(NATIVE)) == NATIVE
    assert [module for module in NATIVE if not source_of(module).is_file()] == []


def test_none_defines_what_mypyc_would_change() -> None:
    """Neither a Struct nor a NamedTuple, however it is derived: class keywords and generic fields would be lost."""
    defined = [each for name in NATIVE for each in classes_of(importlib.import_module(name))]
    assert [each for each in defined if issubclass(each, msgspec.Struct) or is_named_tuple(each)] == []


def test_no_interpreted_class_derives_from_a_compiled_one() -> None:
    """Which would fail when it is imported, in the compiled form alone."""
    found = []
    for info in pkgutil.walk_packages(servery.__path__, prefix="servery."):
        if info.name not in NATIVE and info.name != APART:
            for each in classes_of(importlib.import_module(info.name)):
                found += [f"{info.name}.{each.__name__}" for parent in each.__bases__ if parent.__module__ in NATIVE]
    assert found == []


def test_no_compiled_class_derives_from_one_that_can_be_referenced_weakly() -> None:
    """Nor from one whose instances have a ``__dict__``. Weak references to a compiled instance are not cleared when it
    goes, and whoever follows one later ends the process. Exceptions and enumerations are made otherwise."""
    found = []
    for name in NATIVE:
        for each in classes_of(importlib.import_module(name)):
            for parent in each.__mro__[1:]:
                keeps = parent.__weakrefoffset__ or parent.__dictoffset__
                if keeps and parent.__module__ not in NATIVE and not issubclass(each, BaseException | Enum):
                    found.append(f"{name}.{each.__name__}: {parent.__qualname__}")
    assert found == []


def number_or_tuple_constants() -> set[str]:
    """Names in capitals that stand for a number or a tuple somewhere in the source."""
    names = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            value = getattr(node, "value", None)
            is_number = isinstance(value, ast.Constant) and type(value.value) in (int, float)
            if isinstance(target, ast.Name) and (is_number or isinstance(value, ast.Tuple)):
                names.add(target.id)
    return names


def test_none_asks_whether_a_number_or_a_tuple_is_the_same_object() -> None:
    """Compiled code keeps both unboxed: what comes back is equal, and another object."""
    constants = number_or_tuple_constants()
    compared = [
        f"{name}: {ast.unparse(node)}"
        for name in NATIVE
        for node in ast.walk(ast.parse(source_of(name).read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Is | ast.IsNot)
        for side in (node.left, *node.comparators)
        if isinstance(side, ast.Tuple) or (isinstance(side, ast.Name) and side.id in constants)
    ]
    assert compared == []


def test_constants_are_final() -> None:
    """Compiled code looks up any other by its name, each time."""
    found = []
    for name in NATIVE:
        for node in ast.parse(source_of(name).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and not isinstance(node.value, ast.Tuple):
                written = ast.unparse(node.targets[0]).strip("_")
                if written.isupper() or written.islower():
                    found.append(f"{name}.{written}")
    assert found == []


def test_no_attribute_becomes_a_word_of_c() -> None:
    """mypyc puts an underscore before an attribute's name: ``_thread`` becomes ``__thread``."""
    words = {"_alignof", "_asm", "_attribute", "_const", "_extension", "_inline", "_restrict", "_signed", "_thread"}
    words |= {"_typeof", "_volatile"}
    found = [
        f"{name}:{node.lineno}"
        for name in NATIVE
        for node in ast.walk(ast.parse(source_of(name).read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in words
    ]
    assert found == []


def jumps(block: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Every continue and break of ``block`` that is of a loop around it."""
    for node in block:
        if isinstance(node, ast.Continue | ast.Break):
            yield node
        elif not isinstance(node, ast.For | ast.While | ast.FunctionDef | ast.AsyncFunctionDef):
            for field in ("body", "orelse", "handlers", "finalbody"):
                for inner in getattr(node, field, []):
                    yield from jumps(inner.body if isinstance(inner, ast.ExceptHandler) else [inner])


def test_no_loop_goes_on_from_within_a_try_that_has_a_finally() -> None:
    """mypyc cannot compile it."""
    found = [
        f"{name}:{jump.lineno}"
        for name in NATIVE
        for node in ast.walk(ast.parse(source_of(name).read_text(encoding="utf-8")))
        if isinstance(node, ast.Try) and node.finalbody
        for jump in jumps([*node.body, *node.orelse, *(each for one in node.handlers for each in one.body)])
    ]
    assert found == []


def waits_while_handling(tree: ast.Module) -> Iterator[ast.AST]:
    """Every await or yield inside an except or a finally, and what waits when a block is left."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Try):
            handling = [*node.finalbody, *(each for handler in node.handlers for each in handler.body)]
            yield from (
                each
                for one in handling
                for each in ast.walk(one)
                if isinstance(each, ast.Await | ast.Yield | ast.YieldFrom)
            )
        elif isinstance(node, ast.AsyncWith):
            entered = [ast.unparse(item.context_expr) for item in node.items]
            if not all(each.startswith("asyncio.timeout(") for each in entered):  # whose end does not wait
                yield node


def test_none_waits_while_it_handles_an_exception() -> None:
    """A compiled coroutine does not keep the exception that it handles to itself: while it waits, others would see it,
    and raise it again as theirs."""
    found = [
        f"{name}:{getattr(each, 'lineno', 0)}"
        for name in NATIVE
        for each in waits_while_handling(ast.parse(source_of(name).read_text(encoding="utf-8")))
    ]
    assert found == []


def test_what_is_gathered_comes_as_a_list() -> None:
    """mypy's types say that ``asyncio.gather(one, other)`` gives a tuple; it is a list, which compiled code refuses."""
    found = [
        f"{name}:{node.lineno}"
        for name in NATIVE
        for node in ast.walk(ast.parse(source_of(name).read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "asyncio.gather"
        and not all(isinstance(each, ast.Starred) for each in node.args)
    ]
    assert found == []


def test_the_form_under_test_is_the_one_that_was_asked_for() -> None:
    """``make test-compiled`` tests extensions, all of them; ``make test`` none."""
    files = {name: str(importlib.import_module(name).__file__) for name in NATIVE}
    assert {name for name, file in files.items() if file.endswith(".py") is COMPILED} == set()
