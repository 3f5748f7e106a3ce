"""Those of one class who wait, in an order that is fair between accounts.

Source: the virtual token counter (Sheng et al., Fairness in Serving Large Language Models, OSDI 2024). Each account has
a counter of the work that was sent for it while others waited; the next request is the oldest of the account with the
smallest counter. An account that has not waited comes in at the level of those who do: being away saves nothing up.

    level ────┬────────┬──────────────────────────  the counter of whoever went last
    a         ├─ 3 ────┤ 4 ┤ 4 ┤ 4 ┤ 4 ┤            counter, then what it has waiting: 4 requests
    b         ├┤ 2 ┤                                b goes next, then a
                   ^               ^
                   finish of b     finish of a      who is furthest on the right gives way when the line is too long

An account that waits no more is remembered while its counter is above the level, and then forgotten: it would come in
at the level in any case. When nobody waits, all of it is over, and the next to wait begin as equals.
"""

from collections import OrderedDict
from typing import Final

from servery.admission.keyed_heap import KeyedHeap
from servery.admission.ticket import Ticket

_MOST_REMEMBERED: Final = 10_000


class _Account:
    """``counter`` is work that was sent, ``waiting_work`` that which waits."""

    __slots__ = ("counter", "tickets", "waiting_work")

    def __init__(self, counter: float) -> None:
        self.counter = counter
        self.waiting_work = 0.0
        self.tickets: OrderedDict[Ticket, None] = OrderedDict()


class FairLine:
    """``count`` tickets wait here, ``work`` in sum. Costs O(log accounts) for each ticket that comes or goes."""

    __slots__ = (
        "_accounts",
        "_finishes",
        "_level",
        "_most_remembered",
        "_period",
        "_remembered",
        "_starts",
        "count",
        "work",
    )

    def __init__(self, *, most_remembered: int = _MOST_REMEMBERED) -> None:
        self._most_remembered = most_remembered
        self.count = 0
        self.work = 0.0
        self._accounts: dict[str, _Account] = {}
        self._starts: KeyedHeap[str] = KeyedHeap()
        self._finishes: KeyedHeap[str] = KeyedHeap()
        self._remembered: KeyedHeap[str] = KeyedHeap()
        self._level = 0.0
        self._period = 0

    @property
    def accounts(self) -> int:
        """How many accounts wait or are remembered."""
        return len(self._accounts)

    def push(self, ticket: Ticket) -> None:
        """``ticket`` comes, behind its account's others."""
        name = ticket.demand.account
        account = self._account(name)
        account.tickets[ticket] = None
        self._add(name, account, ticket.work)

    def put_back(self, ticket: Ticket) -> None:
        """``ticket``, which was taken, comes back before its account's others; what was counted for it is undone."""
        name = ticket.demand.account
        self.correct(ticket, 0.0)
        account = self._account(name)
        account.tickets[ticket] = None
        account.tickets.move_to_end(ticket, last=False)
        self._add(name, account, ticket.work)

    def first(self) -> Ticket | None:
        """Who goes next."""
        found = self._starts.first()
        return None if found is None else next(iter(self._accounts[found[1]].tickets))

    def take_first(self) -> Ticket:
        """Who goes next goes, and is counted."""
        found = self._starts.first()
        assert found is not None, "somebody waits"
        start, name = found
        account = self._accounts[name]
        ticket, _ = account.tickets.popitem(last=False)
        account.counter += ticket.work
        ticket.charged = ticket.work
        ticket.period = self._period
        self._raise_level(start)
        self._subtract(name, account, ticket.work)
        return ticket

    def remove(self, ticket: Ticket) -> None:
        """``ticket``, which waits, gives up or is shed."""
        name = ticket.demand.account
        account = self._accounts[name]
        del account.tickets[ticket]
        self._subtract(name, account, ticket.work)

    def last(self) -> Ticket:
        """The newest ticket of the account whose turn ends last: who gives way when somebody must."""
        found = self._finishes.first()
        assert found is not None, "somebody waits"
        return next(reversed(self._accounts[found[1]].tickets))

    def correct(self, ticket: Ticket, work: float) -> None:
        """``ticket`` was taken, and ``work`` is what it really was. Nothing where its account is forgotten."""
        account = self._accounts.get(ticket.demand.account)
        if account is not None and ticket.period == self._period and ticket.charged > 0.0:
            account.counter += work - ticket.charged
            self._place(ticket.demand.account, account)
        ticket.charged = 0.0

    def work_ahead(self, ticket: Ticket, *, steadiness: float = 0.0) -> float:
        """How much would go before ``ticket`` if it came now: all that its own account has waiting, and of each other
        account as much again as that makes. An estimate: it takes all accounts for alike.

        ``steadiness`` from 0 to 1: whether the others will be there for so long. At 0 no more of them comes than waits
        by now; at 1 more comes for as long as this one waits, also of those that are remembered, who go before all but
        the first of an account's requests.
        """
        account = self._accounts.get(ticket.demand.account)
        own, ahead, others, resting = 0.0, 0.0, len(self._starts), len(self._remembered)
        if account is not None:
            ahead = account.waiting_work
            own = ahead + max(0.0, account.counter - self._level)
            if account.tickets:
                others -= 1
            else:
                resting -= 1
        theirs = (own + ticket.work) * others
        here = min(self.work - ahead, theirs)
        return ahead + here + steadiness * (theirs + own * resting - here)

    def check_integrity(self) -> None:
        waiting = {name: one for name, one in self._accounts.items() if one.tickets}
        assert self.count == sum(len(one.tickets) for one in waiting.values()), "who waits is counted"
        assert abs(self.work - sum(one.waiting_work for one in waiting.values())) < 1e-3, "and how much"
        assert len(waiting) == len(self._starts) == len(self._finishes), "who waits has a turn"
        assert len(self._accounts) == len(waiting) + len(self._remembered), "others are remembered or forgotten"
        assert len(self._remembered) <= self._most_remembered, "memory is bounded"

    def _account(self, name: str) -> _Account:
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = _Account(self._level)
        elif not account.tickets:
            account.counter = max(account.counter, self._level)
            self._remembered.discard(name)
        return account

    def _add(self, name: str, account: _Account, work: float) -> None:
        account.waiting_work += work
        self.work += work
        self.count += 1
        self._place(name, account)

    def _subtract(self, name: str, account: _Account, work: float) -> None:
        account.waiting_work -= work
        self.work -= work
        self.count -= 1
        if self.count == 0:
            self._begin_anew()
            return
        if not account.tickets:
            self._starts.discard(name)
            self._finishes.discard(name)
            account.waiting_work = 0.0
        self._place(name, account)

    def _place(self, name: str, account: _Account) -> None:
        """Put the account where its counter says."""
        if account.tickets:
            self._starts.set(name, account.counter)
            self._finishes.set(name, -account.counter - account.waiting_work)
        elif account.counter > self._level:
            self._remembered.set(name, account.counter)
            if len(self._remembered) > self._most_remembered:
                self._forget_lowest()
        else:
            self._remembered.discard(name)
            del self._accounts[name]

    def _raise_level(self, level: float) -> None:
        self._level = max(self._level, level)
        while (found := self._remembered.first()) is not None and found[0] <= self._level:
            self._forget(found[1])

    def _forget_lowest(self) -> None:
        """Too many are remembered: the level comes up to the lowest of them, so that it gains nothing by being
        forgotten. Who waits keeps its counter."""
        found = self._remembered.first()
        assert found is not None, "there are too many"
        self._raise_level(found[0])

    def _forget(self, name: str) -> None:
        self._remembered.discard(name)
        del self._accounts[name]

    def _begin_anew(self) -> None:
        self._accounts.clear()
        self._starts.clear()
        self._finishes.clear()
        self._remembered.clear()
        self._level = self.work = 0.0
        self._period += 1
