"""``GET /models``: what can be asked for today, in the form of the API whose client asks."""

from collections.abc import Callable
from functools import partial

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from servery.billing.budgets import Budgets
from servery.catalog.catalog import Catalog
from servery.catalog.offer import Offer
from servery.core.caller import Caller
from servery.core.clock import Clock, utc_date
from servery.core.errors import NotFound, ServeryError
from servery.core.ids import RequestIds
from servery.tenancy.audit_log import AuditLog
from servery.tenancy.key_ring import KeyRing
from servery.tenancy.permissions import Permission
from servery.web.anthropic.errors import CLIENTS_HEADER
from servery.web.anthropic.errors import error_body as anthropic_error_body
from servery.web.anthropic.models import ModelInfo, ModelPage, model_info, model_page, takes_messages
from servery.web.control.resource import Action, Handler, Resource
from servery.web.openai.errors import error_body as openai_error_body
from servery.web.openai.models import ListedModel, ListedModels, listed_model


class ModelListParts(msgspec.Struct, frozen=True, kw_only=True):
    """What the list of models works on."""

    catalog: Catalog
    clock: Clock
    budgets: Budgets
    key_ring: KeyRing
    audit: AuditLog


def model_list_routes(parts: ModelListParts) -> list[Route]:
    """Routes for a Starlette application. They stand under the paths of inference, and need an API key."""
    models, ids = ModelListEndpoints(parts.catalog, parts.clock, parts.budgets), RequestIds()
    return [
        route
        for prefix in ("/inference/v1", "/v1")
        for route in (
            Route(f"{prefix}/models", InEitherForm(parts, ids, models.list_openais, models.list_anthropics)),
            Route(prefix + "/models/{name:path}", InEitherForm(parts, ids, models.get_openais, models.get_anthropics)),
        )
    ]


class InEitherForm:
    """An ASGI application for one path: Anthropic's clients are answered in their form, refusals too, all others in
    OpenAI's. Every answer has an id, in the headers in which either look for it."""

    def __init__(self, parts: ModelListParts, ids: RequestIds, openais: Handler, anthropics: Handler) -> None:
        self._parts = parts
        self._new_id = ids.new
        self._openais = openais
        self._anthropics = anthropics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = self._new_id()
        handler, render_error = self._openais, openai_error_body
        if CLIENTS_HEADER in Headers(scope=scope):
            handler, render_error = self._anthropics, anthropic_error_body
        resource = Resource(
            self._parts.key_ring,
            self._parts.audit,
            {"GET": Action(Permission.INFER, handler)},
            partial(_refused, render_error, request_id),
        )
        await resource(scope, receive, partial(_with_id, send, request_id.encode()))


def _refused(render_error: Callable[[ServeryError, str], bytes], request_id: str, error: ServeryError) -> bytes:
    return render_error(error, request_id)


async def _with_id(send: Send, request_id: bytes, message: Message) -> None:
    if message["type"] == "http.response.start":
        message["headers"] = [*message["headers"], (b"x-request-id", request_id), (b"request-id", request_id)]
    await send(message)


class ModelListEndpoints:
    """Handlers for models and routers alike: whatever may stand in a request's ``model`` field; of Anthropic's clients,
    in that of messages."""

    def __init__(self, catalog: Catalog, clock: Clock, budgets: Budgets) -> None:
        self._catalog = catalog
        self._clock = clock
        self._budgets = budgets

    async def list_openais(self, request: Request, caller: Caller) -> ListedModels:
        offers = await self._offers(caller)
        return ListedModels([listed_model(offer, owner=self._catalog.account) for offer in offers])

    async def get_openais(self, request: Request, caller: Caller) -> ListedModel:
        return listed_model(_named(request, await self._offers(caller)), owner=self._catalog.account)

    async def list_anthropics(self, request: Request, caller: Caller) -> ModelPage:
        offers = [offer for offer in await self._offers(caller) if takes_messages(offer)]
        return model_page(offers, request.query_params)

    async def get_anthropics(self, request: Request, caller: Caller) -> ModelInfo:
        offers = [offer for offer in await self._offers(caller) if takes_messages(offer)]
        return model_info(_named(request, offers))

    async def _offers(self, caller: Caller) -> list[Offer]:
        """What may be asked for today. A suspended account is not shown what it cannot ask: raises
        PreconditionFailed."""
        caller.require_unsuspended()
        if not self._budgets.knows(caller.account):
            await self._budgets.learn(caller.account)
        self._budgets.check(caller.account)
        return self._catalog.offers(utc_date(self._clock.wall_ns()))


def _named(request: Request, offers: list[Offer]) -> Offer:
    name = request.path_params["name"]
    for offer in offers:
        if offer.name == name:
            return offer
    raise NotFound(f"There is no model {name!r}.", param="model")
