"""What a gateway has borrowed of one account's limits: for a model, or of its requests."""

from servery.core.limit_reading import LimitMetric, Shortage
from servery.limits.account_limits import AccountLimits
from servery.limits.adaptation import Used
from servery.limits.custom_limits import CustomLimits
from servery.limits.leased_buckets import LeasedBuckets
from servery.limits.model_limits import ModelLimits
from servery.limits.shared_state import NOTHING, Ask, Loan, Tokens, per_minute

_CRUMBS = 1.0
"""Less than that is neither fetched nor given back."""

_METRICS = (LimitMetric.PROMPT, LimitMetric.UNCACHED_PROMPT, LimitMetric.GENERATED)


class Leaseholder:
    """Knows what to ask for, and takes what is lent. ``model`` None: the account's requests, whose limit is fixed."""

    def __init__(self, account: str, tenant: AccountLimits, model: ModelLimits | None) -> None:
        leased = tenant.leased if model is None else model.leased
        assert leased is not None, "only shared limits are leased"
        self.account = account
        self.model = "" if model is None else model.name
        self.buckets: LeasedBuckets = leased
        self._tenant = tenant
        self._limits = model

    def is_of(self, tenant: AccountLimits, model: ModelLimits | None) -> bool:
        """Whether these are still the account's: one that was forgotten begins anew."""
        return self._tenant is tenant and self._limits is model

    @property
    def is_idle(self) -> bool:
        """Nothing is here, and nothing is wanted."""
        return _no_crumbs(self.buckets.stock).is_nothing and _no_crumbs(self.buckets.level).is_nothing

    def need_of(self, wanted: Tokens) -> Tokens:
        """What has to come so that ``wanted`` can be taken, with what is owed. What is not wanted may be owed on."""
        missing = wanted.minus(self.buckets.level).at_least(NOTHING)
        return Tokens(*(lack if of else 0.0 for lack, of in zip(_three(missing), _three(wanted), strict=True)))

    def need_of_all(self, wanted: Tokens) -> Tokens:
        """As ``need_of``, when nothing of what is here can be counted on but what is owed."""
        owed = NOTHING.minus(self.buckets.level).at_least(NOTHING)
        return Tokens(*(of + debt if of else 0.0 for of, debt in zip(_three(wanted), _three(owed), strict=True)))

    def ask_for(self, need: Tokens) -> Ask:
        """What is needed at once, and with it what is wanted on stock."""
        return self._ask(need=need, want=need.plus(self.buckets.stock))

    def regular_ask(self, now_s: float) -> Ask | None:
        """What is wanted on stock or not needed any more, and what was used; None where there is nothing to say.
        What it tells of is told once: ``untold`` takes it back."""
        self.buckets.look(now_s)
        level, stock = self.buckets.level, self.buckets.stock
        unspent, want = _no_crumbs(level.minus(stock)), _no_crumbs(stock.minus(level))
        used = Used() if self._limits is None else self._limits.take_used()
        if unspent.is_nothing and want.is_nothing and used == Used():
            return None
        self.buckets.withdraw(unspent)
        return self._ask(want=want, unspent=unspent, used=used)

    def last_ask(self) -> Ask:
        """All that is left goes back."""
        unspent = self.buckets.level
        self.buckets.withdraw(unspent)
        used = Used() if self._limits is None else self._limits.take_used()
        return self._ask(unspent=unspent, used=used)

    def untold(self, ask: Ask) -> None:
        """What was to be given back and reported has not arrived."""
        self.buckets.deposit(ask.unspent, left=self.buckets.left)
        if self._limits is not None:
            self._limits.used_prompt += ask.used.prompt
            self._limits.used_uncached += ask.used.uncached_prompt
            self._limits.used_generated += ask.used.generated

    def take(self, loan: Loan, now_s: float) -> None:
        """What was lent, and what the limits are by now."""
        if self._limits is not None:
            self._limits.share(loan.adaptive, now_s)
        self.buckets.deposit(loan.tokens, left=loan.left)

    def shortage(self, need: Tokens, loan: Loan, *, requested: Tokens) -> Shortage:
        """Which limit was in the way of ``need``, for longest."""
        limits = per_minute(loan.limits)
        found: Shortage | None = None
        for metric, lacking, left, limit, asked in zip(
            _METRICS, _three(need), _three(loan.left), _three(limits), _three(requested), strict=True
        ):
            wait_s = (min(lacking, limit * self.buckets.burst_minutes) - left) * 60.0 / limit
            if lacking > 0 and (found is None or wait_s > found.wait_s):
                found = Shortage(
                    metric=metric if self._limits is not None else LimitMetric.REQUESTS,
                    limit_per_minute=round(limit),
                    requested=round(asked),
                    remaining=max(0, int(left)),
                    wait_s=max(0.0, wait_s),
                )
        assert found is not None, "who was not given what it needs needs something"
        return found

    def _ask(
        self, *, need: Tokens = NOTHING, want: Tokens = NOTHING, unspent: Tokens = NOTHING, used: Used | None = None
    ) -> Ask:
        if self._limits is not None:
            ceilings, custom = self._limits.ceilings, self._limits.custom
        else:
            ceilings = self._tenant.request_limits
            custom = CustomLimits(
                prompt_tokens_per_minute=ceilings.prompt_tokens_per_minute,
                uncached_prompt_tokens_per_minute=ceilings.uncached_prompt_tokens_per_minute,
                generated_tokens_per_minute=ceilings.generated_tokens_per_minute,
            )
        return Ask(need=need, want=want, unspent=unspent, used=used or Used(), ceilings=ceilings, custom=custom)


def _no_crumbs(tokens: Tokens) -> Tokens:
    return Tokens(*(one if one >= _CRUMBS else 0.0 for one in _three(tokens)))


def _three(tokens: Tokens) -> tuple[float, float, float]:
    return tokens.prompt, tokens.uncached_prompt, tokens.generated
