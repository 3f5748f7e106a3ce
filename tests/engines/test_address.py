"""Where an engine listens, read from a URL."""

import pytest

from servery.core.engine_family import EngineFamily
from servery.engines.address import EngineAddress, address_from_url


def read(url: str) -> EngineAddress:
    return address_from_url(url, family=EngineFamily.VLLM, served_model="m", api_key="sk-secret")


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "base_path"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1", 8000, False, ""),
        ("https://engine.example", "engine.example", 443, True, ""),
        ("http://engine.example/", "engine.example", 80, False, ""),
        ("http://engine.example/v1", "engine.example", 80, False, ""),
        ("https://engine.example/openai/v1/", "engine.example", 443, True, "/openai"),
        ("http://[::1]:9/x", "::1", 9, False, "/x"),
    ],
)
def test_a_url_is_taken_apart(url: str, host: str, port: int, tls: bool, base_path: str) -> None:
    """The port follows the scheme; a final ``/v1``, which is appended anyway, may be given or not."""
    address = read(url)
    assert (address.host, address.port, address.tls, address.base_path) == (host, port, tls, base_path)


@pytest.mark.parametrize("url", ["engine:8000", "ftp://e", "http://", "http://e?x=1", "http://e#x", "http://u:p@e"])
def test_other_urls_are_refused(url: str) -> None:
    """With a sentence that shows the form."""
    with pytest.raises(ValueError, match="is not of the form"):
        read(url)


def test_the_key_is_never_shown() -> None:
    """Addresses may be logged."""
    assert "secret" not in repr(read("http://127.0.0.1:8000"))
