"""``/v1/accounts/{account}/quotas``: what an account may spend in a month."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from servery.control.account_review import AccountReview
from servery.control.account_watch import AccountWatch
from servery.control.spend_limit import SpendLimit
from servery.core.caller import Caller
from servery.core.clock import rfc3339
from servery.core.errors import InvalidRequest, NotFound
from servery.core.money import NANODOLLARS_PER_DOLLAR
from servery.tenancy.accounts import Accounts
from servery.web.control.access import account_of
from servery.web.control.body import body_of
from servery.web.control.listing import Listing

MONTHLY_SPEND: Final = "monthly-spend-usd"


class QuotaChange(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of ``PATCH .../quotas/{quota}``: whole dollars, as text or number; the maximum ends a lower limit."""

    value: str | int


class QuotaResource(msgspec.Struct, rename="camel"):
    """``value`` is enforced and at most ``max_value``, both whole dollars; ``usage`` is the month's spending so far."""

    name: str
    value: str
    max_value: str
    usage: float
    update_time: str


class QuotaEndpoints:
    """Handlers for quotas. There is one: ``monthly-spend-usd``."""

    def __init__(self, accounts: Accounts, limit: SpendLimit, review: AccountReview, watch: AccountWatch) -> None:
        self._accounts = accounts
        self._limit = limit
        self._review = review
        self._watch = watch

    async def list_all(self, request: Request, caller: Caller) -> Response:
        quotas = [await self._shown(account_of(request, caller))]
        return Listing(request, QuotaResource).response("quotas", quotas, lambda quota: quota)

    async def get(self, request: Request, caller: Caller) -> QuotaResource:
        _check_name(request)
        return await self._shown(account_of(request, caller))

    async def update(self, request: Request, caller: Caller) -> QuotaResource:
        """Holds from the next request on."""
        _check_name(request)
        account = account_of(request, caller)
        text = str((await body_of(request, QuotaChange)).value)
        if not (text.isascii() and text.isdigit() and len(text) <= 12):
            raise InvalidRequest("value is whole dollars from 0 on", param="value")
        await self._limit.set(account, int(text))
        await self._watch.changed()
        return await self._shown(account)

    async def _shown(self, account_id: str) -> QuotaResource:
        account = await self._accounts.get(account_id)
        standing = await self._review.standing(account_id)
        most = self._limit.most_dollars(account)
        own = account.spend_limit_dollars
        return QuotaResource(
            name=f"accounts/{account_id}/quotas/{MONTHLY_SPEND}",
            value=str(most if own is None else min(own, most)),
            max_value=str(most),
            usage=standing.spent_nanodollars / NANODOLLARS_PER_DOLLAR,
            update_time=rfc3339(account.spend_limit_set_ns or account.created_ns),
        )


def _check_name(request: Request) -> None:
    quota = request.path_params["quota"]
    if quota != MONTHLY_SPEND:
        raise NotFound(f"There is no quota {quota!r}; there is {MONTHLY_SPEND}.")
