"""The ledger: double entry, append-only, idempotent."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.refusals import INTEGRITY_ERRORS

from servery.core.clock import ManualClock
from servery.core.errors import AlreadyExists, NotFound
from servery.ledger.ledger import Ledger
from servery.ledger.transfer import Transfer, TransferKind
from servery.store.connection import Connection
from servery.store.database import Database


def transfer(
    transfer_id: str, nanodollars: int, *, debit: str = "accounts/a", credit: str = "revenue/m", created_ns: int = 0
) -> Transfer:
    return Transfer(
        id=transfer_id,
        debit_account=debit,
        credit_account=credit,
        nanodollars=nanodollars,
        kind=TransferKind.CREDIT,
        created_ns=created_ns,
    )


@pytest.fixture
def ledger(database: Database, clock: ManualClock) -> Ledger:
    return Ledger(database, clock)


async def test_a_transfer_moves_two_balances(ledger: Ledger) -> None:
    """The debit account's balance grows by what the credit account's shrinks."""
    await ledger.post(transfer("1", 70))
    await ledger.post(transfer("2", 5, debit="accounts/b"))
    assert ledger.balances_nanodollars() == {"accounts/a": 70, "accounts/b": 5, "revenue/m": -75}
    assert ledger.balance_nanodollars("accounts/a") == 70
    assert ledger.balance_nanodollars("accounts/nobody") == 0


async def test_posting_again_changes_nothing(ledger: Ledger) -> None:
    """The first posting under an id is returned, with its own moment."""
    first = await ledger.post(transfer("1", 70, created_ns=1))
    assert await ledger.post(transfer("1", 70, created_ns=2)) == first
    assert ledger.balance_nanodollars("accounts/a") == 70


@pytest.mark.parametrize(
    "other", [transfer("1", 71), transfer("1", 70, debit="accounts/b"), transfer("1", 70, credit="revenue/n")]
)
async def test_an_id_cannot_say_two_things(ledger: Ledger, other: Transfer) -> None:
    """Another amount or another account under a posted id is an error, and moves nothing."""
    await ledger.post(transfer("1", 70))
    with pytest.raises(AlreadyExists):
        await ledger.post(other)
    assert ledger.balances_nanodollars() == {"accounts/a": 70, "revenue/m": -70}


async def test_a_contradiction_within_one_group_fails_alone(ledger: Ledger) -> None:
    """Of two that contradict each other in one commit the first stands; bystanders are posted."""
    results = await asyncio.gather(
        ledger.post(transfer("1", 70)),
        ledger.post(transfer("1", 71)),
        ledger.post(transfer("2", 5)),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [Transfer, AlreadyExists, Transfer]
    assert ledger.balance_nanodollars("accounts/a") == 75


async def test_a_correction_is_a_reversal(ledger: Ledger, database: Database) -> None:
    """A reversal brings the balances back and leaves both transfers in the books; it happens at most once."""
    await ledger.post(transfer("1", 70))
    reversal = await ledger.reverse("1")
    assert await ledger.reverse("1") == reversal
    assert (reversal.kind, reversal.reverses, reversal.nanodollars) == (TransferKind.REVERSAL, "1", 70)
    assert ledger.balances_nanodollars() == {"accounts/a": 0, "revenue/m": 0}
    assert database.reader.execute("SELECT count(*) FROM transfers").fetchone() == (2,)
    with pytest.raises(NotFound):
        await ledger.reverse("2")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE transfers_besides_usage SET nanodollars = 1",
        "DELETE FROM transfers_besides_usage",
        """INSERT INTO price_versions SELECT * FROM price_versions WHERE true
           ON CONFLICT (price_id) DO UPDATE SET model = ''""",
        "UPDATE usage_records SET charge_nanodollars = 1",
        "DELETE FROM price_versions",
    ],
)
async def test_the_database_itself_is_append_only(ledger: Ledger, database: Database, statement: str) -> None:
    """No statement changes or removes what was posted: the database refuses, whoever asks."""
    await ledger.post(transfer("1", 70))
    await database.write(_add_a_usage_record)
    with pytest.raises(INTEGRITY_ERRORS, match="append-only"):
        await database.write(lambda connection: connection.execute(statement))
    assert ledger.balance_nanodollars("accounts/a") == 70


async def test_balances_can_be_rebuilt(ledger: Ledger, database: Database) -> None:
    """The projection is nothing but the transfers: spoiled or lost, it comes back the same."""
    await ledger.post(transfer("1", 70))
    await ledger.post(transfer("2", 5, debit="accounts/b"))
    await database.write(lambda connection: ledger.open_within(connection, "accounts/new"))
    before = ledger.balances_nanodollars()
    await database.write(lambda connection: connection.execute("UPDATE balances SET nanodollars = 4"))
    await database.write(ledger.rebuild_balances_within)
    assert ledger.balances_nanodollars() == before
    assert before["accounts/new"] == 0


NAMES = st.sampled_from(["accounts/a", "accounts/b", "revenue/m", "revenue/n"])
TRANSFERS = st.builds(
    lambda transfer_id, names, nanodollars: transfer(transfer_id, nanodollars, debit=names[0], credit=names[1]),
    st.sampled_from("12345678"),
    st.tuples(NAMES, NAMES).filter(lambda names: names[0] != names[1]),
    st.integers(min_value=0, max_value=10**12),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TRANSFERS, max_size=30), st.lists(st.sampled_from("12345678"), max_size=6))
def test_balances_are_the_first_transfers_summed(
    new_place: Callable[[], Path | str], transfers: list[Transfer], reversed_ids: list[str]
) -> None:
    """Whatever is posted, posted again, contradicted and reversed, at once: each id counts as what first stood under
    it, and all balances sum to zero."""

    async def scenario() -> None:
        async with Database.open(new_place()) as database:
            ledger = Ledger(database, ManualClock())
            await asyncio.gather(*(ledger.post(each) for each in transfers), return_exceptions=True)
            await asyncio.gather(*(ledger.reverse(each) for each in reversed_ids), return_exceptions=True)
            kept = ledger.balances_nanodollars()
            assert kept == expected_balances(transfers, set(reversed_ids))
            await database.write(ledger.rebuild_balances_within)
            assert ledger.balances_nanodollars() == kept

    asyncio.run(scenario())


def expected_balances(transfers: list[Transfer], reversed_ids: set[str]) -> dict[str, int]:
    first: dict[str, Transfer] = {}
    for each in transfers:
        first.setdefault(each.id, each)
    balances: dict[str, int] = {}
    for each in first.values():
        amount = 0 if each.id in reversed_ids else each.nanodollars
        balances[each.debit_account] = balances.get(each.debit_account, 0) + amount
        balances[each.credit_account] = balances.get(each.credit_account, 0) - amount
    assert sum(balances.values()) == 0
    return balances


def test_a_transfer_is_between_two_accounts() -> None:
    """Nonsense is caught where it is made."""
    good = transfer("1", 1)
    for nonsense in ({"nanodollars": -1}, {"credit_account": good.debit_account}, {"reverses": "2"}):
        with pytest.raises(AssertionError):
            Transfer(**{**msgspec.structs.asdict(good), **nonsense})


def _add_a_usage_record(connection: Connection) -> None:
    connection.execute("INSERT INTO price_versions VALUES ('p', 'm', 'standard', 1, 1, 1, 0)")
    connection.execute(
        "INSERT INTO usage_records (request_id, account, key_id, model, serving_path, price_id, prompt_tokens,"
        " cached_prompt_tokens, generated_tokens, reasoning_tokens, estimated, outcome, started_ns, finished_ns,"
        " replica, queue_wait_us, cost_labels, charge_nanodollars)"
        " VALUES ('r', 'other', 'k', 'm', 'standard', 'p', 1, 0, 1, 0, ?, 'completed', 0, 0, 'replica', 0, '[]', 2)",
        (False,),
    )
