"""The data directory that a command works on."""

import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import click

from servery.core.misconfigured import Misconfigured
from servery.metering.spool import spool_directories
from servery.metering.spool_progress import wait_fed
from servery.settings import Settings, read_settings, variable
from servery.store.database import Database

_PATIENCE_S = 1.0

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


@asynccontextmanager
async def existing_database(settings: Settings) -> AsyncIterator[Database]:
    """The data directory's database, opened. Raises Misconfigured when there is none: a command that looks at books
    does not create some. A platform that runs there first gets a moment to post what it has charged by now."""
    if settings.database is None and not settings.database_file.is_file():
        raise Misconfigured(f"there is no database in {settings.data_dir}: servery serve makes one")
    await wait_fed(spool_directories(settings.spool_directory), timeout_s=_PATIENCE_S)
    async with Database.open(settings.database_place) as database:
        yield database
