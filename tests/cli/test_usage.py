"""``servery usage``."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from tests.books.sample_usage import CHARGE_NANODOLLARS, DEMO, FAST

from servery.cli.usage import COST_COLUMNS, EXPORT_COLUMNS


@pytest.mark.usefixtures("books")
def test_usage_adds_up(run) -> None:
    """Rows by account, model and path, and their total; dollars are the nano-dollars with all nine decimals."""
    output = json.loads(run("usage", "--json").stdout)
    rows = {(row["account"], row["model"], row["serving_path"]): row for row in output["usage"]}
    assert rows.keys() == {("acme", DEMO, "standard"), ("acme", FAST, "fast")}
    standard = rows["acme", DEMO, "standard"]
    assert standard["nanodollars"] == 2 * CHARGE_NANODOLLARS
    assert standard["dollars"] == "0.000024000"
    assert (standard["prompt_tokens"], standard["cached_prompt_tokens"], standard["generated_tokens"]) == (200, 80, 20)
    assert "day" not in standard
    total = output["total"]
    assert (total["requests"], total["nanodollars"], total["dollars"]) == (3, 3 * CHARGE_NANODOLLARS, "0.000036000")


@pytest.mark.usefixtures("books")
def test_the_table_says_the_same(run) -> None:
    """People get the same figures, aligned to the right."""
    lines = run("usage").stdout.splitlines()
    assert lines[0].split() == ["ACCOUNT", "MODEL", "PATH", "REQUESTS", "PROMPT", "CACHED", "GENERATED", "DOLLARS"]
    assert lines[-1].split() == ["total", "3", "300", "120", "30", "0.000036000"]
    assert len({len(line) for line in lines}) == 1


@pytest.mark.usefixtures("books")
def test_finer_groups(run) -> None:
    """By day and by key each row names its day and key; an unknown grouping is refused."""
    today = datetime.now(UTC).date().isoformat()
    rows = json.loads(run("usage", "--by", "day", "--by", "key", "--json").stdout)["usage"]
    assert {row["day"] for row in rows} <= {today}
    assert all(row["key_id"].startswith("key_") for row in rows)
    header = run("usage", "--by", "key").stdout.splitlines()[0]
    assert "KEY ID" in header
    assert "DAY" not in header
    assert run("usage", "--by", "moon").exit_code == 2


@pytest.mark.usefixtures("books")
def test_a_period_and_an_account_narrow_it(run) -> None:
    """Nothing was used in the far future, nor by somebody else."""
    for narrowed in (("--since", "2261-12-31"), ("--account", "other")):
        assert json.loads(run("usage", *narrowed, "--json").stdout)["total"]["requests"] == 0
    assert json.loads(run("usage", "--since", "2020-01-01", "--json").stdout)["total"]["requests"] == 3
    for wrong in ("yesterday", "2026-13-01", "2262-01-01", "1969-12-31"):
        assert run("usage", "--since", wrong).exit_code == 2


@pytest.mark.usefixtures("books")
def test_usage_is_exported_as_csv(run) -> None:
    """A line for each day and model, in the columns that importers know."""
    lines = list(csv.DictReader(io.StringIO(run("usage", "export", "--account", "acme").stdout)))
    assert tuple(lines[0]) == EXPORT_COLUMNS
    assert {line["base_model_name"]: line["prompt_tokens"] for line in lines} == {DEMO: "200", FAST: "100"}
    today = datetime.now(UTC).date().isoformat()
    assert {line["start_time"] for line in lines} == {f"{today}T00:00:00.000000Z"}
    assert {(line["cached_prompt_tokens"], line["uncached_prompt_tokens"]) for line in lines} == {
        ("80", "120"),
        ("40", "60"),
    }


@pytest.mark.usefixtures("books")
def test_costs_are_exported_as_csv(run) -> None:
    """A line for each day and group, in dollars with nine decimals; another account's are empty."""
    lines = list(csv.DictReader(io.StringIO(run("usage", "costs", "--account", "acme").stdout)))
    assert tuple(lines[0]) == COST_COLUMNS
    assert {line["group_by_value"]: line["subtotal_usd"] for line in lines} == {
        DEMO: "0.000024000",
        FAST: "0.000012000",
    }
    by_key = list(
        csv.DictReader(io.StringIO(run("usage", "costs", "--account", "acme", "--group-by", "api_key").stdout))
    )
    assert [line["subtotal_usd"] for line in by_key] == ["0.000036000"]
    assert run("usage", "costs", "--account", "other").stdout.splitlines() == [",".join(COST_COLUMNS)]
    assert run("usage", "costs").exit_code == 2
