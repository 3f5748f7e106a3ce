"""Webhooks over real HTTP, on loopback."""

from collections.abc import AsyncIterator

import pytest
from tests.fakes.webhook_sink import WebhookSink

from servery.core.clock import ManualClock
from servery.notifications.channel import Parcel
from servery.notifications.signature import signature
from servery.notifications.webhook_channel import WebhookChannel, is_public


@pytest.fixture
async def channel(clock: ManualClock) -> AsyncIterator[WebhookChannel]:
    channel = WebhookChannel(clock, private_hosts=True)
    yield channel
    await channel.close()


def parcel(url: str) -> Parcel:
    return Parcel(
        event_id="evt_1",
        delivery_id="dlv_1",
        account="acme",
        kind="credit.low",
        payload=b'{"a":1}',
        url=url,
        secret="s",
    )


async def test_an_event_is_posted_and_signed(channel: WebhookChannel, clock: ManualClock) -> None:
    """With the name that the URL has, whatever address it went to."""
    async with WebhookSink() as sink:
        outcome = await channel.deliver(parcel(sink.url.replace("127.0.0.1", "localhost")))
    assert (outcome.delivered, outcome.words) == (True, "HTTP 200")
    (posted,) = sink.posted
    assert posted.target == "POST /hook?a=b HTTP/1.1"
    assert posted.body == b'{"a":1}'
    assert posted.headers["host"] == f"localhost:{sink.port}"
    assert posted.headers["content-type"] == "application/json"
    assert (posted.headers["x-servery-event"], posted.headers["x-servery-event-id"]) == ("credit.low", "evt_1")
    assert posted.headers["x-servery-signature"] == signature("s", clock.wall_ns() // 10**9, posted.body)


@pytest.mark.parametrize(("status", "is_final"), [(500, False), (301, False), (404, False), (410, True)])
async def test_what_is_no_arrival(channel: WebhookChannel, status: int, is_final: bool) -> None:
    """Redirects are not followed; 410 is for good."""
    async with WebhookSink(status=status) as sink:
        sink.headers = f"location: http://127.0.0.1:{sink.port}/elsewhere\r\n"
        outcome = await channel.deliver(parcel(sink.url))
    assert (outcome.delivered, outcome.is_final, outcome.words) == (False, is_final, f"HTTP {status}")
    assert len(sink.posted) == 1


async def test_a_place_that_is_not_there(channel: WebhookChannel) -> None:
    """Told, and tried again later."""
    async with WebhookSink() as sink:
        url = sink.url
    for gone in (url, "http://nowhere.invalid/"):
        outcome = await channel.deliver(parcel(gone))
        assert (outcome.delivered, outcome.is_final) == (False, False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0.0.0.0", "[::ffff:127.0.0.1]"])
async def test_private_places_are_not_reached(clock: ManualClock, host: str) -> None:
    """However their address is spelt, unless the operator allows it."""
    channel = WebhookChannel(clock, private_hosts=False)
    async with WebhookSink() as sink:
        outcome = await channel.deliver(parcel(f"http://{host}:{sink.port}/"))
    await channel.close()
    assert not outcome.delivered
    assert sink.posted == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("::", False),
    ],
)
def test_what_is_public(address: str, public: bool) -> None:
    """Nothing of this machine, its networks, or its cloud."""
    assert is_public(address) == public
