"""Forward-only, numbered migrations, each in a transaction of its own.

Every step stands twice under one number and name: ``migrations/sqlite/0001_<what>.sql`` and
``migrations/postgresql/0001_<what>.sql``.
"""

import re
from collections.abc import Sequence
from importlib import resources

import msgspec

from servery.core.errors import PreconditionFailed
from servery.store.dialect import Dialect

_FILE_NAME = re.compile(r"^(?P<number>[0-9]{4})_(?P<what>[a-z0-9_]+)\.sql$")


class Migration(msgspec.Struct, frozen=True):
    """One step from version ``number - 1`` of the database to ``number``."""

    number: int
    what: str
    sql: str


def packaged_migrations(dialect: Dialect) -> tuple[Migration, ...]:
    """The migrations that this version of the software brings, in order, numbered from 1 without gaps."""
    migrations = []
    for file in resources.files("servery.store").joinpath("migrations", dialect).iterdir():
        name = _FILE_NAME.match(file.name)
        assert name is not None, f"{file.name} is not named like a migration"
        migrations.append(Migration(int(name["number"]), name["what"], file.read_text(encoding="utf-8")))
    migrations.sort(key=lambda migration: migration.number)
    assert [migration.number for migration in migrations] == list(range(1, len(migrations) + 1))
    return tuple(migrations)


def refuse_newer(version: int, migrations: Sequence[Migration]) -> None:
    """Raises PreconditionFailed when the database at ``version`` was written by a newer version of the software."""
    if version > len(migrations):
        raise PreconditionFailed(
            f"The database is at version {version}, and this version of servery knows it up to {len(migrations)}. "
            "Use the newer servery that wrote it."
        )
