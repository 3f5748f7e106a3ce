"""One platform serves all tests that do not break it."""

from collections.abc import Iterator

import pytest

from tests.integration.platform_process import PlatformProcess


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformProcess]:
    with PlatformProcess(tmp_path_factory.mktemp("platform") / "data") as running:
        yield running
