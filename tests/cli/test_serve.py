"""``servery serve``: from options to settings. What is then served is tested where it is built."""

import click
import msgspec
import pytest

from servery.cli.serve import serve_command
from servery.settings import Settings


def test_each_setting_is_an_option() -> None:
    """No setting without its option, no option without its setting."""
    options = [option.name for option in serve_command.params]
    assert options == [field.name for field in msgspec.structs.fields(Settings)]


def test_help_names_default_and_variable() -> None:
    """An option's help says what it means, its default, and the variable that sets it too."""
    (port,) = (option for option in serve_command.params if option.name == "port")
    assert isinstance(port, click.Option)
    assert port.help == "The port to listen on; 0 picks a free one.  [default: 8000; SERVERY_PORT]"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--port", "http"), "servery: --port: expected a whole number, got 'http'"),
        (("--catalog", "/no/such.yaml"), "servery: /no/such.yaml: cannot be read: "),
        (("--model", "no.gguf"), "servery: --model: there is no file"),
    ],
)
def test_a_platform_that_cannot_start_says_why(run, arguments: tuple[str, str], told: str) -> None:
    """One line and exit status 2, before anything is started."""
    result = run("serve", *arguments)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith(told)
