"""A gateway's dealings with the buckets that it shares with others."""

from servery.catalog.token_limits import TokenLimits
from servery.core.clock import Clock
from servery.core.errors import LimitExceeded
from servery.core.limit_reading import LimitMetric
from servery.limits.account_limits import AccountLimits
from servery.limits.estimated import Estimate
from servery.limits.grant import Grant
from servery.limits.leaseholder import Leaseholder
from servery.limits.limiter import Limiter
from servery.limits.loan_book import LoanBook, Request
from servery.limits.model_limits import ModelLimits
from servery.limits.shared_state import Ask, Tokens

_ATTEMPTS = 5
"""Once for the request and once for its tokens, each again where others have taken the loan; and then it is there."""


class Lender:
    """Borrows for a request what its gateway lacks, keeps a little on stock for what comes next, and gives back what is
    not used. While the database is away, requests are served from what is here; then they are refused with 503."""

    def __init__(self, limiter: Limiter, book: LoanBook, clock: Clock) -> None:
        self._limiter = limiter
        self._book = book
        self._clock = clock
        self._holders: dict[tuple[str, str], Leaseholder] = {}

    async def reserve(
        self, *, account: str, counted_as: str, limits: TokenLimits, estimate: Estimate, funded: bool
    ) -> Grant:
        """As ``Limiter.reserve``. Raises LimitExceeded when the common buckets have not enough either, and what
        ``Database.write`` raises."""
        is_counted = False
        asked: set[Leaseholder] = set()
        for _ in range(_ATTEMPTS):
            try:
                return self._limiter.reserve(
                    account=account,
                    counted_as=counted_as,
                    limits=limits,
                    estimate=estimate,
                    funded=funded,
                    is_counted=is_counted,
                )
            except LimitExceeded as error:
                refusal = error
            assert refusal.shortage is not None, "the limiter tells why"
            tenant, model = self._limiter.known(account, counted_as)
            if refusal.shortage.metric is LimitMetric.REQUESTS:
                holder, wanted = self._holder(account, tenant, None), Tokens(prompt=1.0)
            else:
                holder, wanted = self._holder(account, tenant, model), _tokens(estimate)
                is_counted = True
            await self._borrow(tenant, model, holder, wanted, alone=holder not in asked)
            asked.add(holder)
        raise refusal

    async def look_after(self) -> None:
        """To be called about once a second: report use, and let stocks follow it. Raises what ``Database.write``
        raises."""
        now_s = self._clock.monotonic_s()
        asks = {key: ask for key, holder in self._holders.items() if (ask := holder.regular_ask(now_s)) is not None}
        self._holders = {key: holder for key, holder in self._holders.items() if key in asks or not holder.is_idle}
        await self._tell(asks)

    async def close(self) -> None:
        """Give everything back. Raises what ``Database.write`` raises."""
        await self._tell({key: holder.last_ask() for key, holder in self._holders.items()})
        self._holders.clear()

    def _holder(self, account: str, tenant: AccountLimits, model: ModelLimits | None) -> Leaseholder:
        key = (account, "" if model is None else model.name)
        holder = self._holders.get(key)
        if holder is None or not holder.is_of(tenant, model):
            holder = self._holders[key] = Leaseholder(account, tenant, model)
        return holder

    async def _borrow(
        self, tenant: AccountLimits, model: ModelLimits, holder: Leaseholder, wanted: Tokens, *, alone: bool
    ) -> None:
        """So much that ``wanted`` can be taken at once: what lacks, or all of it where others take of what is here at
        the same time (not ``alone``). Raises LimitExceeded."""
        need = holder.need_of(wanted) if alone else holder.need_of_all(wanted)
        loan = await self._book.lend(Request(holder.account, holder.model, holder.ask_for(need)))
        holder.take(loan, self._clock.monotonic_s())
        if not loan.is_met:
            raise self._limiter.refusal(tenant, model, holder.shortage(need, loan, requested=wanted))

    async def _tell(self, asks: dict[tuple[str, str], Ask]) -> None:
        """Ask for all at once. What could not be told is told the next time."""
        if not asks:
            return
        holders = [self._holders[key] for key in asks]
        try:
            loans = await self._book.lend_all([Request(*key, ask) for key, ask in asks.items()])
        except BaseException:
            for holder, ask in zip(holders, asks.values(), strict=True):
                holder.untold(ask)
            raise
        for holder, loan in zip(holders, loans, strict=True):
            holder.take(loan, self._clock.monotonic_s())


def _tokens(estimate: Estimate) -> Tokens:
    return Tokens(estimate.prompt_tokens, estimate.uncached_prompt_tokens, estimate.generated_tokens)
