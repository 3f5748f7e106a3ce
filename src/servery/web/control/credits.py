"""Credits and the codes that are worth some."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from servery.control.account_review import AccountReview
from servery.control.account_watch import AccountWatch
from servery.control.credit_codes import CreditCode, CreditCodes
from servery.control.credits import Credit, Credits, checked_amount
from servery.core.caller import Caller
from servery.core.clock import rfc3339
from servery.store.place_in_list import BEFORE_ALL_AGES
from servery.web.control.access import account_of
from servery.web.control.amount import Amount
from servery.web.control.body import body_of
from servery.web.control.listing import Listing
from servery.web.control.moment import wall_ns
from servery.web.control.money import Money, money
from servery.web.control.nothing import Nothing
from servery.web.control.paged_list import PagedList


class Grant(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of ``POST .../credits:grant``."""

    amount: Amount
    description: str = ""


class NewCode(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of ``POST /v1/creditCodes``."""

    amount: Amount
    description: str = ""
    max_redemptions: int = 1
    expire_time: datetime | None = None


class Redemption(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of ``POST .../creditCodes:redeem``."""

    code: str


class CreditsResource(msgspec.Struct, rename="camel"):
    """What an account has in advance."""

    name: str
    prepaid: bool
    credits_left: Money
    used_this_month: Money


class RedemptionResource(msgspec.Struct, rename="camel"):
    """A credit that was given."""

    name: str
    amount: Money
    description: str
    create_time: str
    credit_code: str | UnsetType = UNSET


class CodeResource(msgspec.Struct, rename="camel"):
    """A code as it is shown; ``code``, the secret, only by its creation."""

    name: str
    prefix: str
    amount: Money
    description: str
    max_redemptions: int
    redemptions: int
    create_time: str
    disabled: bool
    code: str | UnsetType = UNSET
    expire_time: str | UnsetType = UNSET


class CreditEndpoints:
    """Handlers for credits."""

    def __init__(self, credit: Credits, codes: CreditCodes, review: AccountReview, watch: AccountWatch) -> None:
        self._credits = credit
        self._codes = codes
        self._review = review
        self._watch = watch

    async def get(self, request: Request, caller: Caller) -> CreditsResource:
        standing = await self._review.standing(account_of(request, caller))
        return CreditsResource(
            name=f"accounts/{standing.account}/credits",
            prepaid=standing.prepaid,
            credits_left=money(standing.credits_left_nanodollars),
            used_this_month=money(standing.credit_used_nanodollars),
        )

    async def grant(self, request: Request, caller: Caller) -> RedemptionResource:
        wanted = await body_of(request, Grant)
        account = account_of(request, caller)
        given = await self._credits.grant(account, wanted.amount.nanodollars, description=wanted.description)
        await self._watch.changed()
        return _shown(given)

    async def redeem(self, request: Request, caller: Caller) -> RedemptionResource:
        account = account_of(request, caller)
        given = await self._credits.redeem(account, (await body_of(request, Redemption)).code)
        await self._watch.changed()
        return _shown(given)

    async def list_redemptions(self, request: Request, caller: Caller) -> Response:
        """What was given to the account, oldest first."""
        account = account_of(request, caller)
        given = PagedList(
            page=partial(self._credits.page, account),
            count=partial(self._credits.count, account),
            place=lambda credit: (credit.created_ns, credit.id),
            start=BEFORE_ALL_AGES,
        )
        return await Listing(request, RedemptionResource).paged_response("creditRedemptions", given, _all_shown)

    async def create_code(self, request: Request, _caller: Caller) -> CodeResource:
        wanted = await body_of(request, NewCode)
        created = await self._codes.create(
            checked_amount(wanted.amount.nanodollars),
            description=wanted.description,
            redemptions_max=wanted.max_redemptions,
            expires_ns=None if wanted.expire_time is None else wall_ns(wanted.expire_time, param="expireTime"),
        )
        return msgspec.structs.replace(_shown_code(created.credit_code), code=created.code)

    async def list_codes(self, request: Request, _caller: Caller) -> Response:
        codes = PagedList(
            page=self._codes.page,
            count=self._codes.count,
            place=lambda code: (code.created_ns, code.id),
            start=BEFORE_ALL_AGES,
        )
        return await Listing(request, CodeResource).paged_response("creditCodes", codes, _all_codes_shown)

    async def disable_code(self, request: Request, _caller: Caller) -> Nothing:
        await self._codes.disable(request.path_params["code"])
        return Nothing()


def _shown(credit: Credit) -> RedemptionResource:
    return RedemptionResource(
        name=f"accounts/{credit.account}/creditRedemptions/{credit.id.removeprefix('credit/')}",
        amount=money(credit.nanodollars),
        description=credit.description,
        create_time=rfc3339(credit.created_ns),
        credit_code=UNSET if credit.code_id is None else f"creditCodes/{credit.code_id}",
    )


def _shown_code(code: CreditCode) -> CodeResource:
    return CodeResource(
        name=f"creditCodes/{code.id}",
        prefix=code.prefix,
        amount=money(code.nanodollars),
        description=code.description,
        max_redemptions=code.redemptions_max,
        redemptions=code.redemptions,
        create_time=rfc3339(code.created_ns),
        disabled=code.disabled_ns is not None,
        expire_time=UNSET if code.expires_ns is None else rfc3339(code.expires_ns),
    )


async def _all_shown(given: Sequence[Credit]) -> Sequence[RedemptionResource]:
    return list(map(_shown, given))


async def _all_codes_shown(codes: Sequence[CreditCode]) -> Sequence[CodeResource]:
    return list(map(_shown_code, codes))
