"""The style guide, enforced: what a reader may count on in every file."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "servery"
MODULES = sorted(SOURCE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}
REASON = re.compile(r"#(?! ?noqa).{10,}|# ?noqa: BLE001 .{10,}")
UNDONE = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|HA" + r"CK)\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def nodes(path: Path) -> Iterator[ast.AST]:
    yield from ast.walk(tree_of(path))


def functions(path: Path) -> list[Function]:
    return [node for node in nodes(path) if isinstance(node, Function)]


def at(path: Path, node: ast.AST) -> str:
    """A place as an editor opens it."""
    return f"{name_of(path)}:{getattr(node, 'lineno', 1)}"


def test_there_is_something_to_check() -> None:
    """The tests below look at real files."""
    assert len(MODULES) > 20


def test_files_are_read_in_one_sitting() -> None:
    """No file is longer than the limit."""
    assert [name_of(path) for path in MODULES if len(lines_of(path)) > MAX_FILE_LINES] == []


def test_functions_fit_a_screen() -> None:
    """No function is longer than the limit, docstring included."""
    assert [
        at(path, node)
        for path in MODULES
        for node in functions(path)
        if (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES
    ] == []


def test_imports_stand_at_the_top() -> None:
    """No import hides in a function or behind TYPE_CHECKING, where the layers' contracts would not be honest."""
    hidden = [
        at(path, node)
        for path in MODULES
        for function in functions(path)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    conditional = [
        at(path, node)
        for path in MODULES
        for node in nodes(path)
        if isinstance(node, ast.Name) and node.id == "TYPE_CHECKING"
    ]
    assert hidden + conditional == []


def test_broad_excepts_give_their_reason() -> None:
    """``except Exception`` and its like carry a comment that says why, on their line or the one below, unless they
    only clean up and raise again."""
    assert [
        at(path, node)
        for path in MODULES
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or _is_broad(node.type))
        and not _raises_again(node)
        and not REASON.search("\n".join(lines_of(path)[node.lineno - 1 : node.lineno + 1]))
    ] == []


def test_no_except_star() -> None:
    """Before Python 3.11.4, what an ``except*`` raises comes in a group: whoever waits for a refusal misses it."""
    assert [at(path, node) for path in MODULES for node in nodes(path) if isinstance(node, ast.TryStar)] == []


def test_files_have_names_and_docstrings() -> None:
    """A file says what it is, in its first line and in its name; a package, in its ``__init__``."""
    assert [name_of(path) for path in MODULES if not ast.get_docstring(tree_of(path))] == []
    assert [name_of(path) for path in MODULES if {path.stem, path.parent.name} & NAMELESS] == []
    folders = {path.parent for path in MODULES}
    assert [name_of(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_only_settings_read_the_environment() -> None:
    """``os.environ`` and ``os.getenv`` appear in one file."""
    assert [
        at(path, node)
        for path in MODULES
        if path != SOURCE / "settings.py"
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv"}
    ] == []


def test_nothing_is_left_undone() -> None:
    """No note to a later self stands in for work."""
    assert [name_of(path) for path in [*MODULES, *TESTS] if UNDONE.search(path.read_text(encoding="utf-8"))] == []


def test_every_test_states_its_claim() -> None:
    """A test's docstring is its claim; a test without one is read by nobody."""
    assert [
        at(path, node)
        for path in TESTS
        for node in functions(path)
        if node.name.startswith("test_") and not ast.get_docstring(node)
    ] == []


def _is_broad(caught: ast.expr) -> bool:
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(isinstance(name, ast.Name) and name.id in {"Exception", "BaseException"} for name in names)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None
