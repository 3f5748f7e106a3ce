"""Delivering to webhooks, over HTTP."""

import asyncio
import ipaddress
import socket
from typing import Final
from urllib.parse import urlsplit

import httpx2

from servery.core.clock import Clock
from servery.notifications.channel import Outcome, Parcel
from servery.notifications.signature import HEADER, signature

TIMEOUT_S: Final = 10.0
_GONE: Final = 410


class WebhookChannel:
    """Posts an event's payload, signed. Redirects are not followed.

    The host's name is resolved here and the request goes to the address that was looked at, so that no name can
    resolve to something else in between. Addresses that are not public are refused unless ``private_hosts``.
    """

    def __init__(self, clock: Clock, *, private_hosts: bool) -> None:
        self._clock = clock
        self._private_hosts = private_hosts
        self._client = httpx2.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)

    async def close(self) -> None:
        await self._client.aclose()

    async def deliver(self, parcel: Parcel) -> Outcome:
        """A status of 2xx is an arrival; 410 says that the webhook is gone for good."""
        url = urlsplit(parcel.url)
        assert url.hostname is not None, "it was looked at when the webhook was made"
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                address = await self._address(url.hostname, port)
                if address is None:
                    return Outcome(delivered=False, words="the host has no public address")
                response = await self._post(parcel, url.hostname, address)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError) as error:
            return Outcome(delivered=False, words=f"{type(error).__name__}: {error}"[:200])
        delivered = 200 <= response.status_code < 300
        return Outcome(
            delivered=delivered, words=f"HTTP {response.status_code}", is_final=response.status_code == _GONE
        )

    async def _post(self, parcel: Parcel, host: str, address: str) -> httpx2.Response:
        url = httpx2.URL(parcel.url)
        headers = {
            "host": url.netloc.decode("ascii"),
            "content-type": "application/json",
            "user-agent": "servery-webhooks",
            "x-servery-event": parcel.kind,
            "x-servery-event-id": parcel.event_id,
            "x-servery-delivery-id": parcel.delivery_id,
            HEADER: signature(parcel.secret, self._clock.wall_ns() // 1_000_000_000, parcel.payload),
        }
        request = self._client.build_request(
            "POST",
            url.copy_with(host=address),
            content=parcel.payload,
            headers=headers,
            extensions={"sni_hostname": host},
        )
        response = await self._client.send(request, stream=True)
        await response.aclose()  # what it says beyond its status is nobody's concern
        return response

    async def _address(self, host: str, port: int) -> str | None:
        """The first address of ``host`` that may be reached. Raises OSError when it has none at all."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        return next((one for one in addresses if self._private_hosts or is_public(one)), None)


def is_public(address: str) -> bool:
    """Whether an IP address may belong to anybody in the world: not this machine, its networks, or its cloud's."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    inner = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (inner or ip).is_global and not (inner or ip).is_multicast
