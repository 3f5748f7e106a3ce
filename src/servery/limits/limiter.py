"""Who may use how much in a minute: reserve on arrival, settle with what was really used."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from servery.catalog.token_limits import TokenLimits
from servery.core.clock import Clock
from servery.core.errors import LimitExceeded
from servery.core.limit_reading import LimitMetric, LimitReading, Shortage
from servery.limits.account_limits import AccountLimits, forget_one
from servery.limits.adaptation import AdaptiveLimits, Used, bounded, minutes_ended, not_ahead, starting
from servery.limits.calendar import Calendar
from servery.limits.custom_limits import CustomLimits
from servery.limits.estimated import Estimate
from servery.limits.grant import Grant, reading_of
from servery.limits.model_limits import ModelLimits
from servery.limits.rules import LimitRules

LimitKey = tuple[str, str]
"""An account, and the name of a model or router."""

_NAMES: Final = {
    LimitMetric.PROMPT: "prompt tokens",
    LimitMetric.UNCACHED_PROMPT: "uncached prompt tokens",
    LimitMetric.GENERATED: "generated tokens",
    LimitMetric.REQUESTS: "requests",
}


class Limiter:
    """Enforces limits in this process, on memory alone: nothing is awaited between asking and taking.

    ``random`` gives numbers in [0, 1), for the jitter of waits. Remembers ``rules.tracked_accounts`` accounts; beyond
    that it forgets, of the 64 known for longest, the one not seen for longest, which begins anew when it comes back.

    Where several gateways share the limits (``is_shared``), it has of them what ``Lender`` has borrowed, and refuses
    what does not fit into that.
    """

    def __init__(
        self, clock: Clock, *, random: Callable[[], float], rules: LimitRules | None = None, is_shared: bool = False
    ) -> None:
        self._now = clock.monotonic_s
        self._wall_ns = clock.wall_ns
        self._random = random
        self._is_shared = is_shared
        self._rules = rules or LimitRules()
        self._calendar = Calendar(clock)
        self._accounts: dict[str, AccountLimits] = {}
        self._recalled: dict[LimitKey, AdaptiveLimits] = {}
        self._custom: Mapping[LimitKey, CustomLimits] = {}
        self._looked_at: dict[LimitKey, ModelLimits] = {}

    def reserve(
        self,
        *,
        account: str,
        counted_as: str,
        limits: TokenLimits,
        estimate: Estimate,
        funded: bool = True,
        is_counted: bool = False,
    ) -> Grant:
        """Take ``estimate``, to be settled and released by the caller. ``counted_as`` is the id whose limits are
        shared: a model's (its Standard and Priority together) or a router's; ``limits`` are the ceilings that they can
        rise to. Raises LimitExceeded, and then has taken nothing but the request's place among those of its minute,
        unless it ``is_counted`` among them already."""
        now_s = self._now()
        tenant = self._accounts.get(account)
        if tenant is None:
            tenant = self._new_account(account, now_s, funded=funded)
        model = tenant.model(counted_as)
        if model is None:
            model = self._new_model(tenant, account, counted_as, limits, now_s)
        if model.ceilings is not limits:
            model.set_ceilings(limits, now_s)
        if now_s >= model.minute_ends_s:
            model.end_minutes(now_s)
        if not is_counted and not tenant.take_request(now_s, funded=funded):
            raise self.refusal(tenant, model, tenant.shortage())
        prompt, uncached = estimate.prompt_tokens, estimate.uncached_prompt_tokens
        generated = estimate.generated_tokens
        if not model.buckets.take(prompt, uncached, generated, now_s):
            shortage = model.buckets.shortage(prompt, uncached, generated)
            assert shortage is not None, "what was refused is short of something"
            raise self.refusal(tenant, model, shortage)
        model.open_grants += 1
        return Grant(
            tenant,
            model,
            now_s=self._now,
            wall_ns=self._wall_ns,
            prompt_tokens=prompt,
            uncached_prompt_tokens=uncached,
            generated_tokens=generated,
        )

    @property
    def open_grants(self) -> int:
        """Reservations that have not been released."""
        return sum(account.open_grants for account in self._accounts.values())

    def known(self, account: str, counted_as: str) -> tuple[AccountLimits, ModelLimits]:
        """Those of an account that has just asked."""
        tenant = self._accounts[account]
        return tenant, tenant.models[counted_as]

    def reading(self, account: str, counted_as: str) -> LimitReading | None:
        """The limits as they are now; None for those that have not been used lately."""
        tenant = self._accounts.get(account)
        model = None if tenant is None else tenant.models.get(counted_as)
        if tenant is None or model is None:
            return None
        self._end_minutes(model)
        return reading_of(tenant, model, now_s=self._now(), read_ns=self._wall_ns())

    def limits(
        self, account: str, counted_as: str, *, ceilings: TokenLimits, recorded: AdaptiveLimits | None
    ) -> TokenLimits:
        """What is enforced, or would be if the account asked now. ``recorded``: what was written down, which counts for
        those that have not been used in this process."""
        tenant = self._accounts.get(account)
        model = None if tenant is None else tenant.models.get(counted_as)
        if model is not None:
            self._end_minutes(model)
            return model.limits
        rules, minute = self._rules.adaptation, self._calendar.minute(self._now())
        state = starting(rules, ceilings, minute=minute)
        if recorded is not None:
            known = bounded(not_ahead(recorded, now_minute=minute), rules=rules, ceilings=ceilings)
            state = minutes_ended(known, Used(), now_minute=minute, rules=rules, ceilings=ceilings)
        custom = self._custom.get((account, counted_as))
        return state.token_limits if custom is None else custom.over(state.token_limits)

    def custom(self, account: str, counted_as: str) -> CustomLimits:
        """What the operator has fixed."""
        return self._custom.get((account, counted_as)) or CustomLimits()

    def set_custom(self, custom: Mapping[LimitKey, CustomLimits]) -> None:
        """From now on these limits are fixed, and no others."""
        changed = {key for key in (*self._custom, *custom) if self._custom.get(key) != custom.get(key)}
        self._custom = dict(custom)
        for account, name in changed:
            tenant = self._accounts.get(account)
            model = None if tenant is None else tenant.models.get(name)
            if model is not None:
                model.set_custom(custom.get((account, name)), self._now())

    def recall(self, states: Mapping[LimitKey, AdaptiveLimits]) -> None:
        """What limits were before a restart; those of accounts that are known by now are left as they are."""
        now_minute = self._calendar.minute(self._now())
        self._recalled = {key: not_ahead(state, now_minute=now_minute) for key, state in states.items()}

    def take_looked_at(self) -> list[ModelLimits]:
        """The limits that had a minute's end since this was last asked: what is to be written down."""
        looked_at, self._looked_at = self._looked_at, {}
        return list(looked_at.values())

    def look_at_all(self) -> None:
        """End what minutes have ended; all that has been used by now is to be written down."""
        for account in self._accounts.values():
            for model in account.models.values():
                self._end_minutes(model)
                if model.used_prompt or model.used_generated:
                    self._looked(model)

    def look_again(self, models: Iterable[ModelLimits]) -> None:
        """These could not be written down."""
        for model in models:
            self._looked_at.setdefault((model.account, model.name), model)

    def _new_account(self, account: str, now_s: float, *, funded: bool) -> AccountLimits:
        if len(self._accounts) >= self._rules.tracked_accounts:
            forget_one(self._accounts)
        tenant = self._accounts[account] = AccountLimits(
            self._rules, funded=funded, now_s=now_s, is_shared=self._is_shared
        )
        return tenant

    def _new_model(
        self, tenant: AccountLimits, account: str, name: str, ceilings: TokenLimits, now_s: float
    ) -> ModelLimits:
        recalled = self._recalled.pop((account, name), None)
        minute = self._calendar.minute(now_s)
        model = tenant.models[name] = ModelLimits(
            account=account,
            name=name,
            adaptive=recalled or starting(self._rules.adaptation, ceilings, minute=minute),
            ceilings=ceilings,
            custom=self._custom.get((account, name)),
            rules=self._rules,
            calendar=self._calendar,
            now_s=now_s,
            on_minute=self._looked,
            is_shared=self._is_shared,
        )
        if recalled is not None:
            model.recorded = recalled.token_limits
        return model

    def _looked(self, model: ModelLimits) -> None:
        self._looked_at[model.account, model.name] = model

    def _end_minutes(self, model: ModelLimits) -> None:
        now_s = self._now()
        if now_s >= model.minute_ends_s:
            model.end_minutes(now_s)

    def refusal(self, tenant: AccountLimits, model: ModelLimits, shortage: Shortage) -> LimitExceeded:
        """What a caller is told who comes too soon."""
        retry_after_s = shortage.wait_s * (1.0 + self._rules.retry_jitter * self._random())
        return LimitExceeded(
            f"rate limit exceeded, please try again later: {shortage.requested} {_NAMES[shortage.metric]} asked for,"
            f" {shortage.remaining} of {shortage.limit_per_minute} per minute remain;"
            f" retry after {retry_after_s:.1f} s",
            retry_after_s=retry_after_s,
            shortage=shortage,
            reading=reading_of(tenant, model, now_s=self._now(), read_ns=self._wall_ns()),
        )
