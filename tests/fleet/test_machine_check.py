"""What a machine lacks is named before an engine fails for want of it."""

from pathlib import Path

import pytest

from servery.fleet.machine_check import missing

ABLE = "processor\t: 0\nflags\t\t: fpu sse4_2 fma avx avx2 f16c\n"


def no_library(name: str) -> object:
    raise OSError(f"{name}: cannot open shared object file")


@pytest.fixture
def cpu_info(tmp_path: Path) -> Path:
    file = tmp_path / "cpuinfo"
    file.write_text(ABLE, encoding="ascii")
    return file


def test_an_able_machine_lacks_nothing(cpu_info: Path) -> None:
    """With the library and the processor flags there is nothing to say."""
    assert missing(system="Linux", architecture="x86_64", cpu_info=cpu_info, load_library=len) == []


def test_a_missing_library_is_named_with_its_package(cpu_info: Path) -> None:
    """One line, with the command that brings it."""
    lacks = missing(system="Linux", architecture="x86_64", cpu_info=cpu_info, load_library=no_library)
    assert lacks == ["the embedded engine needs libgomp.so.1: apt-get install libgomp1"]


def test_missing_processor_flags_are_named(cpu_info: Path) -> None:
    """Only those that are missing; ``avx`` is not taken for ``avx2``."""
    cpu_info.write_text(ABLE.replace(" avx2", ""), encoding="ascii")
    (told,) = missing(system="Linux", architecture="x86_64", cpu_info=cpu_info, load_library=len)
    assert "AVX2;" in told
    assert missing(system="Linux", architecture="aarch64", cpu_info=cpu_info, load_library=len) == []


def test_a_system_that_does_not_tell_is_given_the_benefit_of_the_doubt(tmp_path: Path) -> None:
    """No /proc, no Linux: the engine's own error will have to do."""
    nowhere = tmp_path / "none"
    assert missing(system="Linux", architecture="x86_64", cpu_info=nowhere, load_library=len) == []
    assert missing(system="Darwin", architecture="arm64", cpu_info=nowhere, load_library=no_library) == []
