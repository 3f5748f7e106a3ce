"""``servery ledger``."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest
from tests.books.sample_usage import CHARGE_NANODOLLARS
from tests.metering.test_meter import PRICE, USAGE, record

from servery.billing.rating import rate
from servery.metering.posting import posting
from servery.metering.spool import Spool, spool_directory
from servery.store.log_contents import log_files
from servery.store.log_limits import LogLimits


@pytest.mark.usefixtures("books")
def test_books_that_hold_exit_with_0(run) -> None:
    """The status is what scripts look at; the text is for people; the JSON says both."""
    text = run("ledger", "verify")
    assert (text.exit_code, text.stdout.splitlines()[-1]) == (0, "the books hold")
    output = json.loads(run("ledger", "verify", "--json").stdout)
    assert (output["holds"], output["usage_records"], output["findings"]) == (True, 3, [])
    assert output["charged_nanodollars"] == 3 * CHARGE_NANODOLLARS
    assert output["charged_dollars"] == "0.000036000"


def test_a_nanodollar_of_difference_exits_with_1(run, books: Path) -> None:
    """One nano-dollar more in one balance is found, and named."""
    with sqlite3.connect(books / "servery.db") as connection:
        connection.execute("UPDATE balances SET nanodollars = nanodollars + 1 WHERE ledger_account = 'accounts/acme'")
    connection.close()
    text = run("ledger", "verify")
    assert text.exit_code == 1
    assert "the books do not hold" in text.stdout
    assert "accounts/acme" in text.stdout
    verified = run("ledger", "verify", "--json")
    assert (verified.exit_code, json.loads(verified.stdout)["holds"]) == (1, False)


def test_what_lies_in_a_spool_is_told_of(run, books: Path) -> None:
    """Charges of a platform that ended are no contradiction; charges that its disk has changed are, and exit with 1."""
    place = spool_directory(books / "spool", 0)

    async def leave() -> None:
        spool = Spool.open(place, most=9, limits=LogLimits(segment_bytes=65_536, frame_bytes=32_768))
        for number in range(3):
            await spool.keep(posting(record(f"r{number}", "price_x"), rate(USAGE, PRICE)))
        await spool.close()

    asyncio.run(leave())
    nanodollars = rate(USAGE, PRICE).nanodollars
    verified = run("ledger", "verify", "--json")
    assert (verified.exit_code, json.loads(verified.stdout)["spooled"]) == (
        0,
        {"requests": 3, "nanodollars": 3 * nanodollars, "refused": 0, "lost": 0},
    )
    (file,) = [file for file in log_files(place) if b"r1" in file.read_bytes()]
    file.write_bytes(file.read_bytes().replace(b'"r1"', b'"x1"'))
    verified = run("ledger", "verify", "--json")
    output = json.loads(verified.stdout)
    assert (verified.exit_code, output["holds"], output["spooled"]["lost"]) == (1, False, 1)
    assert "1 charges were kept in the spool" in run("ledger", "verify").stdout


def test_what_is_no_database_exits_with_2(run, data_dir: Path) -> None:
    """Books that cannot be read are neither right nor wrong."""
    data_dir.mkdir()
    (data_dir / "servery.db").write_bytes(b"not a database " * 1000)
    result = run("ledger", "verify")
    assert result.exit_code == 2
    assert result.stderr.startswith("servery: the database cannot be used: ")


@pytest.mark.usefixtures("books")
def test_balances_sum_to_zero(run) -> None:
    """Double entry, seen from outside."""
    rows = json.loads(run("ledger", "balances", "--json").stdout)
    assert sum(row["nanodollars"] for row in rows) == 0
    owed = next(row for row in rows if row["ledger_account"] == "accounts/acme")
    assert owed["dollars"] == "0.000036000"
    lines = run("ledger", "balances").stdout.splitlines()
    assert lines[0].split() == ["LEDGER", "ACCOUNT", "DOLLARS"]
    assert len(lines) == len(rows) + 1


def test_a_wrong_balance_is_mended(run, books: Path) -> None:
    """By computing it anew; the second time there is nothing to mend."""
    with sqlite3.connect(books / "servery.db") as connection:
        connection.execute("UPDATE balances SET nanodollars = nanodollars + 1 WHERE ledger_account = 'accounts/acme'")
    connection.close()
    assert run("ledger", "rebuild").stdout == "1 balances and 0 months of accounts were wrong\n"
    assert run("ledger", "verify").exit_code == 0
    assert run("ledger", "rebuild").stdout == "0 balances and 0 months of accounts were wrong\n"
