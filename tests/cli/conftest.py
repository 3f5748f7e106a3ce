"""The command, called as its users call it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.books.sample_usage import make_books

from servery.cli.main import servery
from servery.core.clock import SystemClock

Run = Callable[..., Result]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory that is not there yet."""
    return tmp_path / "data"


@pytest.fixture
def run(data_dir: Path) -> Run:
    """``run("key", "list")`` runs ``servery key list --data-dir DIRECTORY``."""

    def run_command(*arguments: str, on_data: bool = True) -> Result:
        where = ("--data-dir", str(data_dir)) if on_data else ()
        result = CliRunner().invoke(servery, [*arguments, *where], prog_name="servery")
        assert "Traceback" not in result.stderr
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run_command


@pytest.fixture
def books(data_dir: Path) -> Path:
    """A data directory whose books hold three requests of the account ``acme``."""
    asyncio.run(make_books(data_dir / "servery.db", SystemClock()))
    return data_dir
