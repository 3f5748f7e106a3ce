"""``servery invoice`` and ``servery price``."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.books.sample_usage import CHARGE_NANODOLLARS, DEMO, FAST

MONTH = datetime.now(UTC).strftime("%Y-%m")


@pytest.mark.usefixtures("books")
def test_invoices_are_listed_and_shown(run) -> None:
    """The running month is a draft; text, CSV and page have the same lines."""
    (listed,) = json.loads(run("invoice", "list", "acme", "--json").stdout)
    assert (listed["month"], listed["state"], listed["nanodollars"]) == (MONTH, "draft", 3 * CHARGE_NANODOLLARS)
    assert run("invoice", "list", "acme").stdout.splitlines()[1].split() == [MONTH, "draft", "-", "-", "0.000036000"]
    text = run("invoice", "show", "acme", MONTH).stdout
    assert text.splitlines()[-1].split() == ["total", "0.000036000000"]
    lines = list(csv.DictReader(io.StringIO(run("invoice", "show", "acme", MONTH, "--format", "csv").stdout)))
    assert {line["subject"] for line in lines} == {DEMO, FAST}
    assert run("invoice", "show", "acme", MONTH, "--format", "html").stdout.startswith("<!doctype html>")
    assert run("invoice", "show", "nobody", MONTH).exit_code == 2
    assert run("invoice", "show", "acme", "soon").exit_code == 2


@pytest.mark.usefixtures("books")
def test_a_month_that_is_over_is_closed(run) -> None:
    """The running one is refused; what was never used has nothing to issue."""
    assert run("invoice", "close", MONTH).exit_code == 2
    assert run("invoice", "close", "2020-01").stdout == "2020-01 is closed; 0 invoices issued\n"


@pytest.mark.usefixtures("books")
def test_a_price_is_set_and_listed(run) -> None:
    """Now or from a day on; what is not offered, or no price, is refused."""
    assert run("price", "set", DEMO, "--input", "0.2", "--output", "0.8").stdout.startswith(
        f"{DEMO} standard: 0.20 / 0.10 / 0.80 from "
    )
    later = (datetime.now(UTC).date() + timedelta(days=40)).isoformat()
    assert run("price", "set", DEMO, "--input", "0.3", "--from", later).exit_code == 0
    rows = json.loads(run("price", "list", "--json").stdout)
    assert [row["input"] for row in rows if row["model"] == DEMO and row["is_change"]] == ["0.20", "0.30"]
    assert run("price", "list").stdout.splitlines()[0].split()[0] == "MODEL"
    for wrong in (
        ("none", "--input", "1"),
        (DEMO, "--path", "priority", "--input", "1"),
        (DEMO, "--input", "cheap"),
        (DEMO, "--input", "1", "--cached-input", "2"),
        (DEMO, "--input", "1", "--from", "2020-01-01"),
    ):
        assert run("price", "set", *wrong).exit_code == 2
