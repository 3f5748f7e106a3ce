"""The catalogs that the platform can start from: a file, the packaged default, or one made for the user's own model."""

from datetime import date
from importlib import resources
from pathlib import Path

from servery.catalog.catalog import Catalog
from servery.catalog.reading import read_catalog
from servery.core.misconfigured import Misconfigured


def catalog_from_file(file: Path, *, today: date, account: str | None = None) -> Catalog:
    """Read ``file``. Raises Misconfigured when it cannot be read or holds faults."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{file}: cannot be read: {error}") from error
    return read_catalog(text, source=str(file), directory=file.resolve().parent, today=today, account=account)


def default_catalog(*, today: date, account: str | None = None) -> Catalog:
    """The packaged catalog, which serves the packaged demo model."""
    source = "default.yaml"
    return read_catalog(default_catalog_text(), source=source, directory=Path(), today=today, account=account)


def default_catalog_text() -> str:
    """The packaged catalog as it is written, comments included: a starting point for an operator's own."""
    return resources.files("servery.catalog").joinpath("default.yaml").read_text(encoding="utf-8")
