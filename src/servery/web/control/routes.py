"""The control plane's paths."""

from collections.abc import Callable

import msgspec
from starlette.routing import Route

from servery.catalog.catalog import Catalog
from servery.core.clock import Clock
from servery.core.errors import ServeryError
from servery.store.database import Database
from servery.tenancy.key_ring import KeyRing
from servery.web.control.accounts import AccountEndpoints
from servery.web.control.api_keys import ApiKeyEndpoints
from servery.web.control.billing_usage import BillingUsageEndpoints
from servery.web.control.models import ModelEndpoints
from servery.web.control.models_list import ModelListEndpoints
from servery.web.control.resource import Handler, RenderError, Resource, control_error


class ControlParts(msgspec.Struct, frozen=True, kw_only=True):
    """What the control plane works on. ``render_inference_error`` writes refusals of the list of models, which belongs
    to the inference API, in that API's dialect."""

    database: Database
    clock: Clock
    catalog: Catalog
    key_ring: KeyRing
    render_inference_error: Callable[[ServeryError], bytes]


def control_routes(parts: ControlParts) -> list[Route]:
    """Routes for a Starlette application; a path that is not here is for the application to refuse."""
    accounts = AccountEndpoints(parts.database, parts.clock)
    keys = ApiKeyEndpoints(parts.database, parts.clock, parts.key_ring)
    models = ModelEndpoints(parts.catalog, parts.clock)
    listed = ModelListEndpoints(parts.catalog, parts.clock)
    usage = BillingUsageEndpoints(parts.database, parts.clock)

    def route(path: str, *, render_error: RenderError = control_error, **methods: Handler) -> Route:
        return Route(path, Resource(parts.key_ring, methods, render_error))

    account = "/v1/accounts/{account}"
    inference = parts.render_inference_error
    return [
        route("/v1/accounts", GET=accounts.list_all, POST=accounts.create),
        route(account, GET=accounts.get),
        route(f"{account}/models", GET=models.list_all),
        route(account + "/models/{model}", GET=models.get),
        *(
            each
            for owner in (account, account + "/users/{user}")
            for each in (
                route(f"{owner}/apiKeys", GET=keys.list_all, POST=keys.create),
                route(f"{owner}/apiKeys:delete", POST=keys.delete),
            )
        ),
        route(f"{account}/billingUsage", GET=usage.get),
        *(
            each
            for prefix in ("/inference/v1", "/v1")
            for each in (
                route(f"{prefix}/models", render_error=inference, GET=listed.list_all),
                route(prefix + "/models/{name:path}", render_error=inference, GET=listed.get),
            )
        ),
    ]
