"""The control plane over real state, called by an HTTP client without a network."""

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from servery.billing.budgets import Budgets
from servery.billing.price_book import PriceBook
from servery.billing.spend_tiers import USUAL_TIERS
from servery.billing.spending import Spending
from servery.catalog.source import default_catalog
from servery.control.account_review import AccountReview
from servery.control.account_watch import AccountWatch
from servery.control.open_account import create_key
from servery.core.clock import ManualClock
from servery.core.role import Role
from servery.core.siblings import Siblings
from servery.limits.ceilings import Ceilings
from servery.limits.limit_keeper import LimitKeeper
from servery.limits.limiter import Limiter
from servery.limits.rules import LimitRules
from servery.metering.refused_requests import RefusedRequests
from servery.metering.shared_refusals import SharedRefusals
from servery.routing.placements import Placements
from servery.store.database import Database
from servery.tenancy.api_keys import ApiKeys, CreatedKey
from servery.tenancy.audit_log import AuditLog
from servery.tenancy.key_ring import KeyRing
from servery.tenancy.users import Users
from servery.web.control.billing_routes import BillingParts
from servery.web.control.pricing import public_pricing_route
from servery.web.control.rate_limits import Limits
from servery.web.control.routes import ControlParts, control_routes
from servery.web.model_list import ModelListParts, model_list_routes

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Plane(msgspec.Struct):
    """A control plane with the accounts ``acme`` and ``beta`` (a key each) and a key of ``ops`` that may operate."""

    client: httpx.AsyncClient
    limits: Limits
    prices: PriceBook
    refused: RefusedRequests
    placements: Placements
    routes: list[Route]
    budgets: Budgets
    database: Database
    clock: ManualClock
    acme: CreatedKey
    beta: CreatedKey
    ops: CreatedKey

    async def call(
        self, method: str, path: str, *, key: CreatedKey | None = None, status: int = 200, body: object = None
    ) -> dict[str, object]:
        """The JSON of an answer whose status is ``status``; the key is acme's unless said otherwise."""
        headers = {"authorization": f"Bearer {(key or self.acme).key}"}
        response = await self.client.request(method, path, headers=headers, json=body)
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/json"
        answer = response.json()
        if status != 200:
            assert answer.keys() == {"code", "message", "details"}, "as a gRPC gateway writes it"
        return answer

    async def key_of(self, user: str, role: Role, *, account: str = "acme") -> CreatedKey:
        """A key of a new user with that role."""
        await Users(self.database, self.clock).create(account, user, role=role)
        return await ApiKeys(self.database, self.clock).create(account, user=user)


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    clock = ManualClock(wall_ns=int(NOW.timestamp()) * 1_000_000_000)
    async with Database.open(tmp_path / "servery.db") as database:
        limiter = Limiter(clock, random=lambda: 0.0)
        keeper = LimitKeeper(
            database,
            limiter,
            clock,
            rules=LimitRules(),
            save_interval_s=60.0,
            extend=lambda: None,
            logger=logging.getLogger("test.limits"),
        )
        await keeper.open()
        limits = Limits(limiter=limiter, ceilings=Ceilings(), keeper=keeper)
        catalog = default_catalog(today=NOW.date())
        prices, refused, placements = PriceBook(catalog, database, clock), RefusedRequests(), Placements()
        await prices.refresh()
        key_ring, spending = KeyRing(database, clock), Spending(database, clock, writer="here")
        budgets = Budgets(spending, clock)
        review = AccountReview(database, clock, spending=spending, tiers=USUAL_TIERS)
        parts = ControlParts(
            database=database,
            clock=clock,
            catalog=catalog,
            budgets=budgets,
            spending=spending,
            review=review,
            watch=AccountWatch(key_ring, budgets, review),
            key_ring=key_ring,
            limits=limits,
            billing=BillingParts(
                prices=prices,
                refused=SharedRefusals(refused, Siblings(tmp_path, "refusals", index=0, count=1)),
                placements=placements,
                worker=0,
            ),
            domain="example.org",
        )
        routes = control_routes(parts)
        public = public_pricing_route(prices, catalog.gpu_hours, clock)
        models = model_list_routes(
            ModelListParts(
                catalog=catalog, clock=clock, budgets=budgets, key_ring=key_ring, audit=AuditLog(database, clock)
            )
        )
        transport = httpx.ASGITransport(app=Starlette(routes=[public, *routes, *models]))
        async with httpx.AsyncClient(transport=transport, base_url="http://servery") as client:
            yield Plane(
                client=client,
                limits=limits,
                prices=prices,
                refused=refused,
                placements=placements,
                routes=routes,
                budgets=budgets,
                database=database,
                clock=clock,
                acme=await create_key(database, clock, "acme", open_if_new=True),
                beta=await create_key(database, clock, "beta", open_if_new=True),
                ops=await create_key(database, clock, "ops", open_if_new=True, admin=True),
            )
