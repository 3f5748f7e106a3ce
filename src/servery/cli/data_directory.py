"""The data directory that a command works on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from servery.core.misconfigured import Misconfigured
from servery.settings import Settings, read_settings, variable
from servery.store.database import Database

Command = TypeVar("Command", bound=Callable[..., Any])


def data_dir_option(command: Command) -> Command:
    """``--data-dir``, with the platform's own default; the command gets its Settings as ``settings``."""
    return click.option(
        "--data-dir",
        "settings",
        metavar="DIRECTORY",
        callback=_settings,
        help=f"The platform's data directory.  [default: the platform's own; {variable('data_dir')}]",
    )(command)


def existing_database(settings: Settings) -> Database:
    """The data directory's database, opened. Raises Misconfigured when there is none: a command that looks at books
    does not create some."""
    if settings.database is None and not settings.database_file.is_file():
        raise Misconfigured(f"there is no database in {settings.data_dir}: servery serve makes one")
    return Database.open(settings.database_place)


def _settings(_context: click.Context, _parameter: click.Parameter, value: str | Path | None) -> Settings:
    return read_settings({} if value is None else {"data_dir": str(value)})
