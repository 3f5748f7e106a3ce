"""Settings from defaults, environment and options."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.core.misconfigured import Misconfigured
from servery.settings import (
    LogFormat,
    Settings,
    default_data_dir,
    read_settings,
    secret,
    unknown_variables,
    variable,
)

FIELDS = msgspec.structs.fields(Settings)


def test_defaults_are_safe_on_a_laptop() -> None:
    """Nothing set: loopback only, state below the home directory, accounts kept apart."""
    settings = read_settings(environment={})
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.data_dir == Path.home() / ".local/share/servery"
    assert settings.database_file == settings.data_dir / "servery.db"
    assert settings.slot_isolation


def test_the_data_directory_follows_xdg() -> None:
    """``XDG_DATA_HOME`` moves the default; an empty one counts as not set."""
    assert default_data_dir({"XDG_DATA_HOME": "/srv"}) == Path("/srv/servery")
    assert default_data_dir({"XDG_DATA_HOME": ""}) == default_data_dir({})


def test_an_option_wins_over_the_environment_and_that_over_the_default() -> None:
    """Three sources in one order."""
    environment = {"SERVERY_PORT": "9000", "SERVERY_LOG_FORMAT": "json", "SERVERY_DATA_DIR": "~/x"}
    settings = read_settings({"port": "9001"}, environment)
    assert (settings.port, settings.log_format, settings.host) == (9001, LogFormat.JSON, "127.0.0.1")
    assert settings.data_dir == Path.home() / "x"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("port", "http", "expected a whole number, got 'http'"),
        ("port", "65536", "expected a number <= 65535, got '65536'"),
        ("header_timeout_s", "0", "expected a number > 0.0, got '0'"),
        ("header_timeout_s", "nan", "expected a number > 0.0, got 'nan'"),
        ("header_timeout_s", "inf", "expected a number <= 86400.0, got 'inf'"),
        ("slot_isolation", "maybe", "expected true or false, got 'maybe'"),
        ("log_level", "loud", "'loud' is none of debug, info, warning, error"),
        ("first_account", "A b", "'A b' is not an account id"),
        ("data_dir", "", "is empty"),
    ],
)
def test_a_value_that_cannot_be_is_told_on_one_line_with_its_name(name: str, text: str, told: str) -> None:
    """The line begins with the variable, or with the option when it came by one."""
    with pytest.raises(Misconfigured) as by_variable:
        read_settings(environment={variable(name): text})
    assert str(by_variable.value).startswith(f"{variable(name)}: {told}")
    with pytest.raises(Misconfigured) as by_option:
        read_settings({name: text}, {})
    assert str(by_option.value).startswith(f"--{name.replace('_', '-')}: {told}")


def test_all_wrong_values_are_told_at_once() -> None:
    """One line each."""
    with pytest.raises(Misconfigured) as raised:
        read_settings(environment={"SERVERY_PORT": "x", "SERVERY_LOG_LEVEL": "y"})
    assert len(str(raised.value).splitlines()) == 2


def test_a_catalog_and_a_model_exclude_each_other() -> None:
    """Two answers to the same question are refused, not ranked."""
    with pytest.raises(Misconfigured, match="give one of them"):
        read_settings({"model": "x.gguf"}, {"SERVERY_CATALOG": "c.yaml"})


@given(st.sampled_from([field.name for field in FIELDS]), st.text(max_size=20))
def test_any_text_is_a_setting_or_a_told_fault(name: str, text: str) -> None:
    """No value of any variable ends in anything but Settings or Misconfigured."""
    try:
        told = [str(read_settings(environment={variable(name): text}))]
    except Misconfigured as fault:
        told = str(fault).splitlines()
    assert len(told) == 1


def test_misspelt_variables_are_found() -> None:
    """What looks like a setting and is none is reported; other programs' variables are not."""
    environment = {"SERVERY_PRT": "1", "SERVERY_PORT": "2", "PATH": "/bin"}
    assert unknown_variables(environment) == ["SERVERY_PRT"]


def test_a_secret_that_is_not_set_is_told_by_name() -> None:
    """The value of a secret is returned, its absence is the operator's fault to mend."""
    assert secret("KEY", {"KEY": "s3cret"}) == "s3cret"
    with pytest.raises(Misconfigured, match=r"^KEY: "):
        secret("KEY", {"KEY": ""})
