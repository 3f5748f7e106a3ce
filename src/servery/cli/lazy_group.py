"""A group whose commands are imported when they are called, or asked for their help: who lists keys waits for no web
framework. What the group says of them stands in its table; a test holds it against what they say themselves."""

import importlib
from collections.abc import Mapping
from typing import Any

import click
import msgspec

from servery.cli.refusals import RefusingGroup


class LazyCommand(msgspec.Struct, frozen=True):
    """Where a command is, and its line in the list of commands."""

    module: str
    name: str
    summary: str

    def load(self) -> click.Command:
        """Import it."""
        command: click.Command = getattr(importlib.import_module(self.module), self.name)
        return command


class LazyGroup(RefusingGroup):
    """``lazy`` are the commands by the words that call them; others may be added as to any group."""

    def __init__(self, *arguments: Any, lazy: Mapping[str, LazyCommand], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All of them, by name."""
        return sorted({*super().list_commands(ctx), *self.lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported."""
        lazy = self.lazy.get(cmd_name)
        return super().get_command(ctx, cmd_name) if lazy is None else lazy.load()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Without importing any."""
        own = {name: command.get_short_help_str(formatter.width) for name, command in self.commands.items()}
        summaries = own | {name: lazy.summary for name, lazy in self.lazy.items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted(summaries.items()))
