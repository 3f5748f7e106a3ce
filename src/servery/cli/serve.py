"""``servery serve``: start the platform."""

from collections.abc import Callable
from typing import Any, TypeVar, get_args

import click
import msgspec

from servery.run import serve
from servery.settings import Settings, read_settings, unknown_variables, variable

Command = TypeVar("Command", bound=Callable[..., Any])


def description(field: msgspec.structs.FieldInfo) -> str:
    """The one-line meaning of a setting."""
    (meta,) = (part for part in get_args(field.type) if isinstance(part, msgspec.Meta) and part.description)
    assert meta.description is not None, "the line above has looked"
    return meta.description


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _one_option_for_each_setting(command: Command) -> Command:
    """Options are settings by another way in, so they are made from them: none can be forgotten or contradict."""
    for field in reversed(msgspec.structs.fields(Settings)):
        flag = field.name.replace("_", "-")
        default = "" if field.default in {None, msgspec.NODEFAULT} else f"default: {_shown(field.default)}; "
        text = f"{description(field)}  [{default}{variable(field.name)}]"
        if isinstance(field.default, bool):
            command = click.option(f"--{flag}/--no-{flag}", field.name, default=None, help=text)(command)
        else:
            command = click.option(f"--{flag}", field.name, metavar="VALUE", help=text)(command)
    return command


@click.command("serve")
@_one_option_for_each_setting
def serve_command(**options: str | bool | None) -> None:
    """Start the platform and serve until Ctrl-C or SIGTERM."""
    for name in unknown_variables():
        click.echo(f"servery: {name} is set and is no setting (docs/settings.md lists them)", err=True)
    given = {name: _shown(value) for name, value in options.items() if value is not None}
    raise SystemExit(serve(read_settings(given)))
