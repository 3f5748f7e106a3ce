"""``/v1/accounts/{account}/requests``: a receipt for each request."""

import base64
import binascii

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from servery.core.caller import Caller
from servery.core.clock import rfc3339
from servery.core.errors import InvalidRequest, NotFound
from servery.core.hedge_outcome import HedgeOutcome
from servery.core.money import format_price
from servery.core.serving_path import Outcome, ServingPath
from servery.metering.receipts import Position, Receipt, Receipts
from servery.metering.refused_requests import RefusedRequest
from servery.metering.shared_refusals import SharedRefusals
from servery.metering.usage_report import UsageReport
from servery.routing.placements import Placements
from servery.store.connection import Connection
from servery.store.database import Database
from servery.tenancy.permissions import Permission, may
from servery.web.control.access import account_of
from servery.web.control.listing import Listing
from servery.web.control.money import Money, money
from servery.web.control.page import page_size
from servery.web.control.routing import RoutingResource, routing_of


class ReceiptUsage(msgspec.Struct, rename="camel"):
    """Tokens by kind. ``estimated``: the engine did not report them whole. ``predicted_cached_prompt_tokens`` is what
    the router expected to be cached."""

    prompt_tokens: str
    cached_prompt_tokens: str
    uncached_prompt_tokens: str
    generated_tokens: str
    reasoning_tokens: str
    estimated: bool
    predicted_cached_prompt_tokens: str | UnsetType = UNSET


class ReceiptPrice(msgspec.Struct, rename="camel"):
    """The price version, and dollars per million tokens."""

    price_id: str
    input: str
    cached_input: str
    output: str


class ReceiptResource(msgspec.Struct, rename="camel"):
    """A request that reached an engine, and what it cost. ``replica`` answered; ``hedge`` is how a second attempt at
    another replica ended."""

    name: str
    request_id: str
    state: Outcome
    model: str
    api_key_id: str
    asked_serving_path: ServingPath
    serving_path: ServingPath
    usage: ReceiptUsage
    price: ReceiptPrice
    charge: Money
    start_time: str
    end_time: str
    queue_wait_ms: float
    replica: str
    annotations: dict[str, str]
    time_to_first_token_ms: float | UnsetType = UNSET
    routing: RoutingResource | UnsetType = UNSET
    hedge: HedgeOutcome | UnsetType = UNSET


class RefusedResource(msgspec.Struct, rename="camel"):
    """A request that was refused, and cost nothing."""

    name: str
    request_id: str
    api_key_id: str
    status: int
    code: str
    reason: str
    end_time: str
    charge: Money
    state: str = "refused"
    retry_after_s: float | UnsetType = UNSET
    routing: RoutingResource | UnsetType = UNSET


class ReceiptEndpoints:
    """Handlers for receipts. Who may not read the account's usage sees the requests of its own keys; only who operates
    the platform sees how they were routed. ``worker`` is the number of this process."""

    def __init__(self, database: Database, refused: SharedRefusals, placements: Placements, *, worker: int) -> None:
        self._database = database
        self._refused = refused
        self._placements = placements
        self._worker = worker
        self._receipts = Receipts()
        self._users = UsageReport()

    async def get(self, request: Request, caller: Caller) -> msgspec.Struct:
        account, request_id = account_of(request, caller), str(request.path_params["request"])
        receipt = await self._database.look_up(lambda connection: self._receipts.find(connection, account, request_id))
        found = receipt or await self._refused.find(account, request_id)
        keys = await self._own_keys(account, caller)
        if found is None or (keys is not None and found.key_id not in keys):
            raise NotFound(
                f"There is no request {request_id!r}; or it was refused by another gateway, or longer ago than is kept."
            )
        shown = _shown(found) if isinstance(found, Receipt) else _refusal(found)
        if caller.admin:
            shown.routing = routing_of(request_id, self._placements, worker=self._worker)
        return shown

    async def list_all(self, request: Request, caller: Caller) -> Response:
        """Newest first; those that were refused are not listed. A page may be short; there are more as long as it has
        a token."""
        account, listing = account_of(request, caller), Listing(request, ReceiptResource)
        before = _position(request.query_params.get("pageToken", ""))
        size = page_size(request)
        page = await self._database.read(
            lambda connection: self._receipts.page(connection, account, before=before, size=size)
        )
        keys = await self._own_keys(account, caller)
        shown = [_shown(one) for one in page.receipts if keys is None or one.key_id in keys]
        return listing.page_response("requests", shown, "" if page.next is None else _token(page.next))

    async def _own_keys(self, account: str, caller: Caller) -> set[str] | None:
        """The keys whose requests the caller may see; None: all of the account."""
        if may(caller, Permission.READ_USAGE):
            return None

        def operation(connection: Connection) -> set[str]:
            users = self._users.users_of_keys(connection, account)
            return {key_id for key_id, user in users.items() if user == caller.user}

        return await self._database.look_up(operation)


def _shown(receipt: Receipt) -> ReceiptResource:
    usage, price, first = receipt.usage, receipt.price, receipt.time_to_first_token_us
    predicted = receipt.predicted_cached_prompt_tokens
    return ReceiptResource(
        name=f"accounts/{receipt.account}/requests/{receipt.request_id}",
        request_id=receipt.request_id,
        state=receipt.outcome,
        model=receipt.model,
        api_key_id=receipt.key_id,
        asked_serving_path=receipt.asked_path,
        serving_path=receipt.serving_path,
        usage=ReceiptUsage(
            str(usage.prompt_tokens),
            str(usage.cached_prompt_tokens),
            str(usage.uncached_prompt_tokens),
            str(usage.generated_tokens),
            str(usage.reasoning_tokens),
            usage.estimated,
            UNSET if predicted is None else str(predicted),
        ),
        price=ReceiptPrice(
            receipt.price_id,
            format_price(price.input_picodollars_per_token),
            format_price(price.cached_input_picodollars_per_token),
            format_price(price.output_picodollars_per_token),
        ),
        charge=money(receipt.charge_nanodollars),
        start_time=rfc3339(receipt.started_ns),
        end_time=rfc3339(receipt.finished_ns),
        queue_wait_ms=receipt.queue_wait_us / 1_000,
        time_to_first_token_ms=UNSET if first is None else first / 1_000,
        replica=receipt.replica,
        annotations=dict(receipt.cost_labels),
        hedge=UNSET if receipt.hedge is None else receipt.hedge,
    )


def _refusal(refused: RefusedRequest) -> RefusedResource:
    return RefusedResource(
        name=f"accounts/{refused.account}/requests/{refused.request_id}",
        request_id=refused.request_id,
        api_key_id=refused.key_id,
        status=refused.status,
        code=refused.code,
        reason=refused.message,
        end_time=rfc3339(refused.refused_ns),
        charge=money(0),
        retry_after_s=UNSET if refused.retry_after_s is None else refused.retry_after_s,
    )


def _token(position: Position) -> str:
    return base64.urlsafe_b64encode(f"{position.finished_ns}:{position.sequence}".encode()).decode()


def _position(token: str) -> Position:
    if not token:
        return Position()
    try:
        text = base64.b64decode(token, altchars=b"-_", validate=True).decode("ascii")
        finished_ns, sequence = map(int, text.split(":"))
    except (binascii.Error, ValueError):
        raise InvalidRequest("pageToken is not one that was given", param="pageToken") from None
    if not (0 <= finished_ns <= 2**62 and 0 <= sequence <= 2**62):
        raise InvalidRequest("pageToken is not one that was given", param="pageToken")
    return Position(finished_ns, sequence)
