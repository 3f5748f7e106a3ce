"""The data directory that a command works on."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from servery.core.misconfigured import Misconfigured
from servery.settings import Settings, read_settings, variable
from servery.store.database import Database

Command = TypeVar("Command", bound=Callable[..., Any])


def data_dir_option(command: Command) -> Command:
    """``--data-dir`` and ``--database``, with the platform's own defaults; the command gets its Settings as
    ``settings``."""

    @functools.wraps(command)
    def with_settings(*words: object, data_dir: str | None, database: str | None, **options: object) -> object:
        given = {"data_dir": data_dir, "database": database}
        settings = read_settings({name: value for name, value in given.items() if value is not None})
        return command(*words, settings=settings, **options)

    place = click.option(
        "--data-dir",
        metavar="DIRECTORY",
        help=f"The platform's data directory.  [default: the platform's own; {variable('data_dir')}]",
    )
    url = click.option(
        "--database",
        metavar="URL",
        help=f"PostgreSQL, where the platform's state lies there.  [default: none; {variable('database')}]",
    )
    wrapped: Any = place(url(with_settings))
    taken: Command = wrapped
    return taken


def existing_database(settings: Settings) -> Database:
    """The data directory's database, opened. Raises Misconfigured when there is none: a command that looks at books
    does not create some."""
    if settings.database is None and not settings.database_file.is_file():
        raise Misconfigured(f"there is no database in {settings.data_dir}: servery serve makes one")
    return Database.open(settings.database_place)
