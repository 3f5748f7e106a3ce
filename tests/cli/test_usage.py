"""``servery usage``."""

import asyncio
import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.books.sample_usage import CHARGE_NANODOLLARS, DEMO, FAST

from servery.billing.gpu_posting import GpuPosting
from servery.billing.gpu_prices import GpuPrices
from servery.billing.gpu_time import GpuInterval, GpuRun
from servery.catalog.source import default_catalog_text
from servery.cli.usage import COST_COLUMNS
from servery.cli.usage_export import EXPORT_COLUMNS
from servery.control.open_account import open_account
from servery.core.clock import SystemClock
from servery.store.database import Database


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
    """A line for each day, user and model, in the columns that importers know; a router's model is behind it."""
    assert run("user", "update", "default", "--account", "acme", "--email", "ada@acme.test").exit_code == 0
    lines = list(csv.DictReader(io.StringIO(run("usage", "export", "--account", "acme").stdout)))
    assert tuple(lines[0]) == EXPORT_COLUMNS
    today = datetime.now(UTC).date()
    days = [f"{day.isoformat()}T00:00:00.000000Z" for day in (today, today + timedelta(days=1))]
    facts = {
        "email": "ada@acme.test",
        "start_time": days[0],
        "end_time": days[1],
        "usage_type": "SERVERLESS",
        "accelerator_type": "",
        "accelerator_seconds": "",
        "base_model_name": DEMO,
        "model_bucket": "under 4B",
        "parameter_count": "5770496",
    }
    names = ("prompt_tokens", "completion_tokens", "cached_prompt_tokens", "uncached_prompt_tokens")
    used = [("200", "20", "80", "120"), ("100", "10", "40", "60")]
    assert lines == [{**facts, **dict(zip(names, tokens, strict=True))} for tokens in used]


@pytest.mark.usefixtures("books")
def test_the_sizes_in_an_export_are_the_catalogs(run, tmp_path: Path) -> None:
    """A model that it does not name has none, and its name as it was asked for."""
    text = default_catalog_text().replace("account: servery", "account: other")
    (tmp_path / "other.yaml").write_text(text, encoding="utf-8")
    export = ("usage", "export", "--account", "acme", "--catalog", str(tmp_path / "other.yaml"))
    lines = list(csv.DictReader(io.StringIO(run(*export).stdout)))
    assert {line["base_model_name"] for line in lines} == {DEMO, FAST}
    assert {(line["model_bucket"], line["parameter_count"], line["email"]) for line in lines} == {("", "", "")}


def test_gpu_time_is_exported_by_day(run, data_dir: Path) -> None:
    """A line for each day and type of accelerator; a day begins at midnight UTC."""
    asyncio.run(_rent(data_dir / "servery.db", started_ns=20_000 * 86_400 * 10**9 - 60 * 10**9))
    lines = list(csv.DictReader(io.StringIO(run("usage", "export", "--account", "acme").stdout)))
    assert [(line["usage_type"], line["accelerator_type"], line["accelerator_seconds"]) for line in lines] == [
        ("DEDICATED_DEPLOYMENT", "h100", "120"),
        ("DEDICATED_DEPLOYMENT", "h100", "180"),
    ]
    assert lines[0]["end_time"] == lines[1]["start_time"] == "2024-10-04T00:00:00.000000Z"


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
    by_user = run("usage", "costs", "--account", "acme", "--group-by", "user").stdout.splitlines()
    assert [line.split(",")[2:5] for line in by_user[1:]] == [["user", "default", "0.000036000"]]
    assert run("usage", "costs", "--account", "other").stdout.splitlines() == [",".join(COST_COLUMNS)]
    assert run("usage", "costs").exit_code == 2


async def _rent(file: Path, *, started_ns: int) -> None:
    """Two and a half minutes of two accelerators."""
    clock = SystemClock()
    async with Database.open(file) as database:
        await open_account(database, clock, "acme")
        price = await GpuPrices(database, clock).record("h100", 8_000_000)
        run = GpuRun(
            id="run",
            account="acme",
            deployment="accounts/acme/deployments/d",
            accelerator_type="h100",
            accelerators=2,
            started_ns=started_ns,
        )
        await GpuPosting(database, clock).post(
            run, [GpuInterval(0, 60), GpuInterval(60, 120), GpuInterval(120, 150)], price
        )
