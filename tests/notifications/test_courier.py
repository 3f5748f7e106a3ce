"""From the outbox to where it is wanted."""

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.notifications.conftest import Office, Way

from servery.core.errors import InternalError, InvalidRequest, NotFound, Overloaded, PreconditionFailed
from servery.notifications.channel import Outcome, Parcel
from servery.notifications.event import EventKind
from servery.notifications.retry_plan import GIVE_UP_S, delay_s, next_attempt_ns
from servery.notifications.webhooks import WEBHOOKS_MAX
from servery.store.connection import Connection

URL = "https://example.org/hook"
LOST = Outcome(delivered=False, words="HTTP 500")


async def test_an_event_goes_to_all_who_want_it(office: Office) -> None:
    """To each webhook of the account that wants its kind, and by e-mail; once."""
    every = await office.webhooks.create("acme", URL)
    await office.webhooks.create("acme", URL, [EventKind.KEY_CREATED])
    await office.webhooks.create("beta", URL)
    await office.add(email="a@example.org")
    assert await office.courier.carry() == 2
    assert await office.courier.carry() == 0
    (parcel,), (letter,) = office.way.parcels, office.mail.parcels
    assert (parcel.url, parcel.secret, letter.email) == (URL, every.secret, "a@example.org")
    payload = msgspec.json.decode(parcel.payload)
    assert payload.keys() == {"id", "type", "account", "createTime", "summary", "data"}
    assert (payload["type"], payload["account"], payload["data"]) == ("credit.low", "accounts/acme", {"left": "1"})
    assert payload["id"] == parcel.event_id == letter.event_id
    (report,) = await office.webhooks.deliveries(every.webhook)
    assert (report.state, report.attempts, report.last_outcome) == ("delivered", 1, "taken")


async def test_what_is_rolled_back_is_not_told(office: Office) -> None:
    """An event shares the fate of what it tells of."""
    await office.webhooks.create("acme", URL)

    def operation(connection: Connection) -> None:
        office.outbox.add(connection, "acme", EventKind.CREDIT_LOW, "Something.", {})
        raise NotFound("no")

    with pytest.raises(NotFound):
        await office.database.write(operation)
    assert await office.courier.carry() == 0


async def test_what_does_not_arrive_is_tried_again(office: Office) -> None:
    """With growing pauses; it arrives once its place is back, under the same id."""
    created = await office.webhooks.create("acme", URL)
    await office.add()
    office.way.outcome = LOST
    for pause_s in (2.5, 5.0, 10.0):
        await office.courier.carry()
        office.clock.advance(pause_s - 0.001)
        assert await office.courier.carry() == 0
        office.clock.advance(0.001)
    office.way.outcome = Outcome(delivered=True, words="HTTP 204")
    assert await office.courier.carry() == 1
    assert len({parcel.event_id for parcel in office.way.parcels}) == 1
    (report,) = await office.webhooks.deliveries(created.webhook)
    assert (report.state, report.attempts) == ("delivered", 4)


async def test_a_place_that_is_away_for_a_day_is_disabled(office: Office) -> None:
    """With the reason; nothing more is sent to it until it is enabled again."""
    created = await office.webhooks.create("acme", URL)
    await office.add()
    office.way.outcome = LOST
    while (await office.webhooks.get("acme", created.webhook.id)).disabled_ns is None:
        await office.courier.carry()
        office.clock.advance(1_800)
    assert 24 < len(office.way.parcels) < 80
    assert (await office.webhooks.list("acme"))[0].disabled_reason == "not reached for a day: HTTP 500"
    office.way.parcels.clear()
    await office.add()
    assert await office.courier.carry() == 0
    await office.webhooks.enable("acme", created.webhook.id)
    await office.add()
    assert await office.courier.carry() == 1


async def test_a_place_that_is_gone_is_disabled_at_once(office: Office) -> None:
    """It has said so itself."""
    created = await office.webhooks.create("acme", URL)
    await office.add()
    office.way.outcome = Outcome(delivered=False, words="HTTP 410", is_final=True)
    await office.courier.carry()
    assert (await office.webhooks.get("acme", created.webhook.id)).disabled_reason == "HTTP 410"


async def test_two_couriers_do_not_carry_the_same(office: Office) -> None:
    """Each delivery is claimed by one of them."""
    await office.webhooks.create("acme", URL)
    for _ in range(40):
        await office.add()
    couriers = [office.new_courier(office.way) for _ in range(3)]
    carried = await asyncio.gather(*(courier.carry() for courier in couriers))
    assert sum(carried) == 40
    assert len({parcel.delivery_id for parcel in office.way.parcels}) == len(office.way.parcels) == 40


class FullDisk(Way):
    """What came of a delivery cannot be written down."""

    async def deliver(self, parcel: Parcel) -> Outcome:
        await super().deliver(parcel)
        raise InternalError("the disk is full")


async def test_what_came_of_deliveries_and_cannot_be_written_down(office: Office) -> None:
    """It is one error, which says so, however many deliveries it is about."""
    await office.webhooks.create("acme", URL)
    for _ in range(3):
        await office.add()
    courier = office.new_courier(FullDisk())
    with pytest.raises(Overloaded, match="could not be written down"):
        await courier.carry()


async def test_what_a_courier_had_when_it_died_is_carried_later(office: Office) -> None:
    """Once its claim has ended."""

    class Dies(Way):
        async def deliver(self, parcel: Parcel) -> Outcome:
            raise asyncio.CancelledError

    await office.webhooks.create("acme", URL)
    await office.add()
    await office.new_courier(Dies()).carry()
    assert await office.courier.carry() == 0
    office.clock.advance(120)
    assert await office.courier.carry() == 1


async def test_what_was_settled_is_forgotten_in_time(office: Office) -> None:
    """A month later; what is on its way stays."""
    created = await office.webhooks.create("acme", URL)
    await office.add()
    await office.courier.carry()
    office.clock.advance(31 * 86_400)
    await office.courier.carry()
    assert await office.webhooks.deliveries(created.webhook) == []


async def test_a_webhook_that_cannot_be(office: Office) -> None:
    """Not a URL, one with a password, and one too many."""
    for url in (
        "",
        "ftp://example.org",
        "https://",
        "https://a b",
        "https://u:p@example.org",
        "http://x:99999",
        "x" * 3000,
    ):
        with pytest.raises(InvalidRequest):
            await office.webhooks.create("acme", url)
    for _ in range(WEBHOOKS_MAX):
        await office.webhooks.create("acme", URL)
    with pytest.raises(PreconditionFailed):
        await office.webhooks.create("acme", URL)
    with pytest.raises(NotFound):
        await office.webhooks.delete("beta", (await office.webhooks.list("acme"))[0].id)
    await office.webhooks.delete("acme", (await office.webhooks.list("acme"))[0].id)
    assert len(await office.webhooks.list("acme")) == WEBHOOKS_MAX - 1


async def test_a_notice_is_news_once(office: Office) -> None:
    """For each account, however often it is asked."""
    answers = [
        await office.database.write(
            lambda connection, account=account: office.outbox.is_news(connection, account, "80%")
        )
        for account in ("acme", "acme", "beta")
    ]
    assert answers == [True, False, True]


@given(attempts=st.integers(1, 200), draw=st.floats(0, 1, exclude_max=True))
def test_pauses_grow_and_are_bounded(attempts: int, draw: float) -> None:
    """Never longer than an hour, never shorter than half of the plan, and over after a day."""
    pause_s = delay_s(attempts, random=draw)
    assert 2.5 <= pause_s <= 3_600
    assert pause_s <= delay_s(attempts + 1, random=draw)
    assert next_attempt_ns(created_ns=0, now_ns=int(GIVE_UP_S * 1e9), attempts=attempts, random=draw) is None
    assert next_attempt_ns(created_ns=0, now_ns=5, attempts=attempts, random=draw) == 5 + int(pause_s * 1e9)


async def test_a_webhook_that_is_deleted_while_it_is_tried_hears_no_more(office: Office) -> None:
    """What came of the attempt does not bring the delivery back."""
    created = await office.webhooks.create("acme", URL)
    await office.add()

    class Deleting(Way):
        async def deliver(self, parcel: Parcel) -> Outcome:
            await office.webhooks.delete("acme", created.webhook.id)
            return await super().deliver(parcel)

    way = Deleting()
    way.outcome = LOST
    courier = office.new_courier(way)
    assert await courier.carry() == 1
    office.clock.advance(GIVE_UP_S)
    assert await courier.carry() == 0
    assert len(way.parcels) == 1
