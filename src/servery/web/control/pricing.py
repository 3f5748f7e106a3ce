"""Prices: as the account's plans, as the public price list, and for the operator to change."""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from servery.billing.listed_price import ListedPrice
from servery.billing.price_book import PriceBook
from servery.catalog.gpu_hour import GpuHours
from servery.catalog.price_row import PricePerToken, PriceRow
from servery.core.caller import Caller
from servery.core.clock import Clock, rfc3339, utc_date
from servery.core.errors import InvalidRequest
from servery.core.money import format_price
from servery.core.price import Price
from servery.core.serving_path import ServingPath
from servery.web.control.access import account_of
from servery.web.control.body import body_of
from servery.web.control.moment import wall_ns
from servery.web.control.money import Money, money
from servery.web.control.resource import response_of

_NANODOLLARS_PER_MICRODOLLAR = 1_000


class PriceShown(msgspec.Struct, rename="camel"):
    """Dollars per million tokens, as text, exact. ``effective_time``: since, or from, when."""

    input: str
    cached_input: str
    output: str
    effective_time: str


class ModelPricing(msgspec.Struct, rename="camel"):
    """One row of the price list. ``model`` is the id to ask for; ``next`` is there when a change is announced."""

    model: str
    display_name: str
    serving_path: ServingPath
    price: PriceShown
    next: PriceShown | UnsetType = UNSET


class GpuPricing(msgspec.Struct, rename="camel"):
    """Dollars for an hour of one accelerator, billed by the second."""

    accelerator_type: str
    price_per_hour: str


class Pricing(msgspec.Struct, rename="camel"):
    """The data of a price page."""

    currency: str
    unit: str
    time: str
    models: list[ModelPricing]
    accelerators: list[GpuPricing]


class TokenConfig(msgspec.Struct, rename="camel"):
    """``price_id`` is the price version that receipts and invoices name."""

    base_model_name: str
    serving_path: ServingPath
    price_id: str
    input_token_price_per_million: Money
    uncached_input_token_price_per_million: Money
    cached_input_token_price_per_million: Money
    output_token_price_per_million: Money


class AcceleratorHourConfig(msgspec.Struct, rename="camel"):
    accelerator_type: str
    accelerator_hour_price: Money


class PricingPlan(msgspec.Struct, rename="camel"):
    """One way of billing; what belongs to the other is absent."""

    name: str
    billing_type: str
    token_config: list[TokenConfig] | UnsetType = UNSET
    accelerator_hour_config: list[AcceleratorHourConfig] | UnsetType = UNSET


class PricingPlanList(msgspec.Struct, rename="camel"):
    pricing_plans: list[PricingPlan]


class WantedPrice(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Dollars per million tokens, as text. ``cached_input`` not given is half of ``input``."""

    input: str
    cached_input: str | None = None
    output: str | None = None


class WantedChange(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of ``POST /v1/pricing/changes``. Without ``effective_time`` it is in force at once."""

    model: str
    price: WantedPrice
    serving_path: ServingPath = ServingPath.STANDARD
    effective_time: datetime | None = None


class PricingEndpoints:
    """Handlers for prices."""

    def __init__(self, prices: PriceBook, gpu_hours: GpuHours, clock: Clock) -> None:
        self._prices = prices
        self._gpu_hours = gpu_hours
        self._clock = clock

    async def plans(self, request: Request, caller: Caller) -> PricingPlanList:
        """What the account pays now: by tokens, and by hours of accelerators."""
        account = account_of(request, caller)
        tokens = [_token_config(row) for row in self._offered()]
        hours = [
            AcceleratorHourConfig(accelerator_type, money(per_hour * _NANODOLLARS_PER_MICRODOLLAR))
            for accelerator_type, per_hour in self._gpu_hours.items()
        ]
        plans = f"accounts/{account}/pricingPlans"
        return PricingPlanList(
            [
                PricingPlan(f"{plans}/serverless", "TOKEN_USAGE", token_config=tokens),
                PricingPlan(f"{plans}/dedicated", "ACCELERATOR_HOURS", accelerator_hour_config=hours),
            ]
        )

    async def change(self, request: Request, _caller: Caller) -> ModelPricing:
        """Set a price, now or from a moment on; answers with the row as it then stands."""
        wanted = await body_of(request, WantedChange)
        moment = wanted.effective_time
        from_ns = None if moment is None else wall_ns(moment, param="effectiveTime")
        await self._prices.change(wanted.model, wanted.serving_path, _price(wanted.price), from_ns=from_ns)
        place = (wanted.model, wanted.serving_path)
        return next(_shown(row) for row in self._listed() if (row.offer.name, row.offer.path) == place)

    async def public(self, _request: Request) -> Response:
        """For everybody, with or without a key: the data of a price page. Pages of other sites may read it."""
        now_ns = self._clock.wall_ns()
        hours = [
            GpuPricing(accelerator_type, format_price(per_hour))
            for accelerator_type, per_hour in self._gpu_hours.items()
        ]
        rows = [_shown(row) for row in self._offered()]
        pricing = Pricing("USD", "1000000 tokens", rfc3339(now_ns), rows, hours)
        response = response_of(pricing)
        response.headers["access-control-allow-origin"] = "*"
        response.headers["cache-control"] = "public, max-age=60"
        return response

    def _listed(self) -> list[ListedPrice]:
        return self._prices.listed(wall_ns=self._clock.wall_ns())

    def _offered(self) -> Iterable[ListedPrice]:
        """What can be asked for today."""
        today = utc_date(self._clock.wall_ns())
        return (row for row in self._listed() if row.offer.model.is_offered(today))


def public_pricing_route(prices: PriceBook, gpu_hours: GpuHours, clock: Clock) -> Route:
    """``GET /v1/pricing``, the one path of the control plane without a key."""
    return Route("/v1/pricing", PricingEndpoints(prices, gpu_hours, clock).public, methods=["GET"])


def _shown(row: ListedPrice) -> ModelPricing:
    following = row.next_change
    return ModelPricing(
        model=row.offer.name,
        display_name=row.offer.model.display_name,
        serving_path=row.offer.path,
        price=_price_shown(row.offer.price, row.since_ns),
        next=UNSET if following is None else _price_shown(following.price, following.from_ns),
    )


def _price_shown(price: Price, from_ns: int) -> PriceShown:
    return PriceShown(
        input=format_price(price.input_picodollars_per_token),
        cached_input=format_price(price.cached_input_picodollars_per_token),
        output=format_price(price.output_picodollars_per_token),
        effective_time=rfc3339(from_ns),
    )


def _token_config(row: ListedPrice) -> TokenConfig:
    price = row.offer.price
    uncached, cached, output = (money(amount * _NANODOLLARS_PER_MICRODOLLAR) for amount in price.amounts)
    return TokenConfig(row.offer.name, row.offer.path, row.offer.price_id, uncached, uncached, cached, output)


def _price(wanted: WantedPrice) -> Price:
    """Raises InvalidRequest for what is no price."""
    try:
        row = PriceRow(
            input=PricePerToken.parse(wanted.input),
            cached_input=None if wanted.cached_input is None else PricePerToken.parse(wanted.cached_input),
            output=None if wanted.output is None else PricePerToken.parse(wanted.output),
        )
    except ValueError as error:
        raise InvalidRequest(str(error), param="price") from error
    return row.price()
