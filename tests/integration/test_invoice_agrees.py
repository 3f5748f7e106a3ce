"""Ten clients' own tallies of what they were shown equal the invoice, to the nano-dollar."""

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.integration.platform_process import PlatformProcess
from tests.integration.tally import Entry, Tally, nanodollars, public_prices, summed

CLIENTS, USERS = 10, 3
_MILLION = 10**6


@dataclass(frozen=True)
class Tallied:
    """What ten clients say they owe, by key, and the user of each key."""

    platform: PlatformProcess
    by_key: dict[str, list[Entry]]
    user_of: dict[str, str]

    @property
    def entries(self) -> list[Entry]:
        return [entry for entries in self.by_key.values() for entry in entries]

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        headers = {"x-api-key": self.platform.key}
        base = f"{self.platform.base_url}/v1/accounts/tallied"
        answer = httpx.get(base + path, headers=headers, params=parameters, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer

    def costs(self, *group_by: str, **fields: Any) -> dict[Any, int]:
        """What ``usageCosts:query`` says, by the values of the dimensions."""
        base = f"{self.platform.base_url}/v1/accounts/tallied"
        body = {"groupBy": list(group_by), "pageSize": 200, **fields}
        headers = {"x-api-key": self.platform.key}
        answer = httpx.post(f"{base}/usageCosts:query", headers=headers, json=body, timeout=60).json()
        rows = {
            tuple(row["dimensions"][one] for one in group_by): nanodollars(row["subtotal"]) for row in answer["rows"]
        }
        assert sum(rows.values()) == nanodollars(answer["subtotal"])
        return rows


@pytest.fixture(scope="module")
def tallied(platform: PlatformProcess) -> Tallied:
    """All have called, side by side."""
    prices = public_prices(platform)
    platform.new_key("tallied")
    user_of, tallies = {}, []
    for number in range(USERS):
        platform.command(
            "user", "create", f"user{number}", "--account", "tallied", "--email", f"u{number}@tallied.test"
        )
    for number in range(CLIENTS):
        user = f"user{number % USERS}"
        made = json.loads(platform.command("key", "create", "--account", "tallied", "--user", user, "--json").stdout)
        user_of[made["key_id"]] = user
        tallies.append(Tally(platform, made["key"], prices, seed=number))
    with ThreadPoolExecutor(CLIENTS) as clients:
        entries = list(clients.map(Tally.run, tallies))
    return Tallied(platform, dict(zip(user_of, entries, strict=True)), user_of)


def test_every_kind_of_request_was_made(tallied: Tallied) -> None:
    """And prompts were cached, for what is compared here to mean something."""
    kinds = summed(tallied.entries, lambda entry: entry.kind, lambda _: 1)
    assert kinds == {
        **dict.fromkeys(("json", "stream", "choices", "priority", "fast", "completions", "aborted"), CLIENTS),
        **dict.fromkeys(("message", "message stream", "embeddings"), CLIENTS),
        "cached": 3 * CLIENTS,
    }
    assert sum(entry.cached > 50 for entry in tallied.entries) >= 3
    assert tallied.platform.command("ledger", "verify").returncode == 0


def test_receipts_are_what_clients_were_shown(tallied: Tallied) -> None:
    """Each request once, token for token and to the nano-dollar."""
    receipts, token = [], ""
    while True:
        page = tallied.get("/requests", pageSize=200, pageToken=token).json()
        receipts += page["requests"]
        token = page.get("nextPageToken", "")
        if not token:
            break
    assert sorted(
        (
            receipt["apiKeyId"],
            receipt["model"],
            receipt["servingPath"],
            int(receipt["usage"]["promptTokens"]),
            int(receipt["usage"]["cachedPromptTokens"]),
            int(receipt["usage"]["generatedTokens"]),
            nanodollars(receipt["charge"]),
        )
        for receipt in receipts
    ) == sorted(
        (key, entry.model, entry.path, entry.prompt, entry.cached, entry.generated, entry.nanodollars)
        for key, entries in tallied.by_key.items()
        for entry in entries
    )


def test_costs_are_what_clients_add_up(tallied: Tallied) -> None:
    """By day, model, user and key, and by two of them; and a filter takes out what it names."""
    entries = tallied.entries
    assert tallied.costs("DAY") == {(day,): sum_ for day, sum_ in summed(entries, lambda entry: entry.day).items()}
    assert tallied.costs("MODEL") == {(name,): sum_ for name, sum_ in summed(entries, lambda one: one.model).items()}
    by_key = {key: sum(entry.nanodollars for entry in found) for key, found in tallied.by_key.items()}
    assert tallied.costs("API_KEY") == {(key,): sum_ for key, sum_ in by_key.items()}
    assert tallied.costs("USER", "API_KEY") == {(tallied.user_of[key], key): sum_ for key, sum_ in by_key.items()}
    by_user = {
        f"user{number}": sum(sum_ for key, sum_ in by_key.items() if tallied.user_of[key] == f"user{number}")
        for number in range(USERS)
    }
    assert tallied.costs("USER") == {(user,): sum_ for user, sum_ in by_user.items()}
    assert tallied.costs("USER", filter='user = "user1"') == {("user1",): by_user["user1"]}
    assert sum(tallied.costs("HOUR").values()) == sum(by_key.values())


def test_usage_is_what_clients_add_up(tallied: Tallied) -> None:
    """By day, key, model and annotation, tokens and money; an annotation that was not given is a group of its own."""
    for group_by, of in (("annotations.team", lambda entry: entry.team), ("model_name", lambda entry: entry.model)):
        rows = tallied.get("/billingUsage", groupBy=group_by).json()["serverlessCosts"]
        assert {(row["startTime"][:10], row["group"][group_by]): _tokens(row) for row in rows} == {
            place: (
                sum(entry.prompt for entry in entries),
                sum(entry.cached for entry in entries),
                sum(entry.generated for entry in entries),
                sum(entry.nanodollars for entry in entries),
            )
            for place, entries in _grouped(tallied.entries, lambda entry, of=of: (entry.day, of(entry))).items()
        }
    rows = tallied.get("/billingUsage", groupBy="api_key_id").json()["serverlessCosts"]
    assert _by_group(rows, "api_key_id") == {
        key: sum(entry.nanodollars for entry in entries) for key, entries in tallied.by_key.items()
    }
    exported = tallied.platform.command("usage", "costs", "--account", "tallied", "--group-by", "team").stdout
    by_team = summed(tallied.entries, lambda entry: (entry.day, entry.team))
    assert {
        (row["date"], row["group_by_value"]): round(Decimal(row["subtotal_usd"]) * 10**9)
        for row in csv.DictReader(io.StringIO(exported))
    } == by_team


def test_the_export_is_what_clients_add_up(tallied: Tallied) -> None:
    """By day, user and model, a router's under its model."""
    exported = tallied.platform.command("usage", "export", "--account", "tallied").stdout
    rows = {
        (row["start_time"][:10], row["email"], row["base_model_name"], row["prompt_tokens"], row["completion_tokens"])
        for row in csv.DictReader(io.StringIO(exported))
    }
    placed = [
        ((entry.day, f"u{tallied.user_of[key][-1]}@tallied.test", entry.model), entry)
        for key, entries in tallied.by_key.items()
        for entry in entries
    ]
    expected: dict[Any, list[Entry]] = {}
    for place, entry in placed:
        expected.setdefault(place, []).append(entry)
    assert rows == {
        (
            day,
            email,
            model.replace("routers/demo-fast", "models/demo"),
            str(sum(entry.prompt for entry in entries)),
            str(sum(entry.generated for entry in entries)),
        )
        for (day, email, model), entries in expected.items()
    }


def test_the_invoice_is_what_clients_add_up(tallied: Tallied) -> None:
    """Line by line: quantities by model, path and kind of token, at the public prices, with one line for the rounding
    of requests; as JSON and as CSV; and the summary of the period says the same."""
    (month,) = {entry.day[:7] for entry in tallied.entries}
    prices, total = public_prices(tallied.platform), sum(entry.nanodollars for entry in tallied.entries)
    kinds = {
        "uncached_prompt": lambda entry: entry.prompt - entry.cached,
        "cached_prompt": lambda entry: entry.cached,
        "generated": lambda entry: entry.generated,
    }
    expected = {}
    for number, (kind, of) in enumerate(kinds.items()):
        for (model, path), quantity in summed(tallied.entries, lambda entry: (entry.model, entry.path), of).items():
            if quantity:
                expected[model, path, kind] = (quantity, quantity * prices[model, path][number] / _MILLION)
    exact = sum(amount for _, amount in expected.values())
    rounding = Decimal(total) / 10**9 - exact
    invoice = tallied.get(f"/invoices/{month}").json()
    rows = list(csv.DictReader(io.StringIO(tallied.get(f"/invoices/{month}", format="csv").text)))
    assert nanodollars(invoice["total"]) == total
    for lines, amount in ((invoice["lines"], "amountUsd"), (rows, "amount_usd")):
        kind, path = ("tokenKind", "servingPath") if amount == "amountUsd" else ("token_kind", "serving_path")
        found = {
            (line["subject"], line[path], line[kind]): (int(line["quantity"]), Decimal(line[amount]))
            for line in lines
            if line["kind"] == "tokens"
        }
        assert {place: told for place, told in found.items() if told[0]} == expected
        assert sum(Decimal(line[amount]) for line in lines if line["kind"] == "rounding") == rounding
        assert sum(Decimal(line[amount]) for line in lines) == Decimal(total) / 10**9
    summary = tallied.get("/billing/summary").json()
    assert nanodollars(summary["totalCost"]) == total
    assert sum(nanodollars(item["totalCost"]) for item in summary["lineItems"]) == total


def _tokens(row: dict[str, Any]) -> tuple[int, int, int, int]:
    return (
        int(row["promptTokens"]),
        int(row["cachedPromptTokens"]),
        int(row["completionTokens"]),
        nanodollars(row["totalCost"]),
    )


def _grouped(entries: list[Entry], by: Any) -> dict[Any, list[Entry]]:
    groups: dict[Any, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(by(entry), []).append(entry)
    return groups


def _by_group(rows: list[dict[str, Any]], group: str) -> dict[str, int]:
    sums: dict[str, int] = {}
    for row in rows:
        sums[row["group"][group]] = sums.get(row["group"][group], 0) + nanodollars(row["totalCost"])
    return sums


def test_a_refused_requests_receipt_says_why(platform: PlatformProcess) -> None:
    """By the id that its response carried."""
    key = platform.new_key("wrong")
    with platform.client(key) as client:
        refused = client.post("/chat/completions", json={"model": "accounts/servery/models/none", "messages": []})
        assert refused.status_code in {400, 404}
        request_id = refused.headers["x-request-id"]
    with httpx.Client(
        base_url=f"{platform.base_url}/v1/accounts/wrong", headers={"x-api-key": key}, timeout=60
    ) as plane:
        receipt = plane.get(f"/requests/{request_id}").json()
    assert (receipt["state"], receipt["status"]) == ("refused", refused.status_code)
    assert receipt["reason"]
