"""How a command refuses: its reasons on standard error, one line each, and an exit status; never a traceback."""

import sqlite3
from typing import IO, Any

import click

from servery.core.errors import ServeryError
from servery.core.misconfigured import Misconfigured

UNUSABLE_STATUS = 2
"""What was asked cannot be done: wrong options, no database, no such account."""


class Refusal(click.ClickException):
    """Shown line by line, each with the program's name before it."""

    exit_code = UNUSABLE_STATUS

    def show(self, file: IO[Any] | None = None) -> None:
        for line in self.message.splitlines():
            click.echo(f"servery: {line}", file=file, err=file is None)


class RefusingGroup(click.Group):
    """A group whose commands may raise what the house raises."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Misconfigured as fault:
            raise Refusal(str(fault)) from fault
        except ServeryError as error:
            raise Refusal(error.message) from error
        except sqlite3.Error as error:
            raise Refusal(f"the database cannot be used: {error}") from error
        except OSError as error:
            raise Refusal(str(error)) from error
