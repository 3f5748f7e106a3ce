"""Turns between accounts."""

from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.admission.pools import ticket

from servery.admission.fair_line import FairLine
from servery.admission.ticket import Ticket


def filled(*accounts: str, tokens: float = 10, line: FairLine | None = None) -> FairLine:
    line = line or FairLine()
    for account in accounts:
        line.push(ticket(account, tokens=tokens))
    return line


def order(line: FairLine) -> str:
    """The accounts in the order in which their tickets go."""
    return "".join(line.take_first().demand.account for _ in range(line.count))


def test_accounts_take_turns() -> None:
    """A thousand requests of one do not delay another's first by more than the one before it."""
    assert order(filled(*"aaaaaabbc")) == "abcabaaaa"
    line = filled(*["a"] * 1_000)
    for _ in range(7):
        line.take_first()
    line.push(ticket("b"))
    assert "b" in [line.take_first().demand.account for _ in range(2)]


def test_turns_are_counted_in_work() -> None:
    """An account with large requests has as many fewer."""
    line = FairLine()
    for _ in range(12):
        line.push(ticket("a", tokens=30))
        line.push(ticket("b", tokens=10))
    assert sorted(line.take_first().demand.account for _ in range(8)).count("a") == 2


def test_an_account_that_was_away_has_saved_nothing_up() -> None:
    """It comes in at the level of those who waited, and has one turn in two from then on."""
    line = filled(*"a" * 20)
    for _ in range(10):
        line.take_first()
    for _ in range(5):
        line.push(ticket("b"))
    assert order(line)[:8].count("b") in (4, 5)


def test_an_account_that_leaves_and_comes_at_once_has_not_shaken_off_what_it_got() -> None:
    """Its counter is remembered while it is above the others'."""
    line = filled("b", "b")
    line.push(ticket("a", tokens=1_000))
    while line.first() is not None and line.take_first().demand.account != "a":
        line.push(ticket("b"))
    for _ in range(20):
        line.push(ticket("b"))
    line.push(ticket("a"))
    assert order(line).endswith("a")


def test_one_that_comes_back_goes_before_its_accounts_others() -> None:
    """And is not counted twice."""
    line = filled(*"aaab")
    first, other = line.take_first(), line.take_first()
    assert (first.demand.account, other.demand.account) == ("a", "b")
    line.put_back(first)
    assert line.take_first() is first
    assert order(line) == "aa"


def test_the_newest_of_the_greediest_gives_way() -> None:
    """Whoever's turn would end last: the one with most waiting, or who has got most."""
    line = filled(*"aaaab")
    newest = ticket("a")
    line.push(newest)
    assert line.last() is newest
    big = ticket("c", tokens=1_000)
    line.push(big)
    assert line.last() is big


def test_what_a_request_really_was_corrects_its_account() -> None:
    """One that turned out ten times as large costs its account the next turns."""
    line = filled(*"aaabbbb")
    taken = line.take_first()
    line.correct(taken, 40)
    line.correct(taken, 40_000)  # once
    assert order(line) == "bbbbaa"


def test_work_ahead_is_what_goes_before() -> None:
    """Nothing when alone; a newcomer waits for one turn of each; one with a queue of its own for all of that too."""
    line = FairLine()
    assert line.work_ahead(ticket("a")) == 0
    line = filled(*["a"] * 100)
    assert line.work_ahead(ticket("b")) == 10
    assert line.work_ahead(ticket("a")) == 1_000
    assert line.work_ahead(ticket("b", tokens=50)) == 50


def test_memory_is_bounded() -> None:
    """However many accounts come and go beside one that waits; and nobody gains by being forgotten."""
    line = filled(*["busy"] * 10, line=FairLine(most_remembered=10))
    for number in range(1_000):
        line.push(ticket(f"passing {number}", tokens=5))
        line.push(ticket("busy"))
        line.take_first()
        line.take_first()
        line.check_integrity()
        assert line.accounts <= 12


def test_equal_accounts_get_equal_work_over_any_stretch() -> None:
    """While both have something waiting, two accounts never differ by more than a request or two, whatever the sizes:
    the bound of the virtual token counter."""
    random = Random(7)
    for _ in range(20):
        line, got = FairLine(), {"a": 0.0, "b": 0.0}
        for account in got:
            for _ in range(60):
                line.push(ticket(account, tokens=random.randint(1, 100)))
        for _ in range(50):
            taken = line.take_first()
            got[taken.demand.account] += taken.work
            assert abs(got["a"] - got["b"]) <= 200


class AnyUse(RuleBasedStateMachine):
    """Tickets come, go, come back, give up and are corrected in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.line = FairLine()
        self.waiting: list[Ticket] = []
        self.taken: list[Ticket] = []

    @rule(account=st.sampled_from("abcd"), tokens=st.integers(1, 50))
    def push(self, account: str, tokens: int) -> None:
        self.waiting.append(ticket(account, tokens=tokens))
        self.line.push(self.waiting[-1])

    @precondition(lambda self: self.waiting)
    @rule()
    def take(self) -> None:
        expected = self.line.first()
        taken = self.line.take_first()
        assert taken is expected
        others = [one for one in self.waiting if one.demand.account == taken.demand.account]
        assert taken is others[0], "first come first served inside an account"
        self.waiting.remove(taken)
        self.taken.append(taken)

    @precondition(lambda self: self.taken)
    @rule()
    def put_back(self) -> None:
        back = self.taken.pop()
        self.line.put_back(back)
        self.waiting.insert(0, back)

    @precondition(lambda self: self.taken)
    @rule(work=st.integers(1, 100))
    def correct(self, work: int) -> None:
        self.line.correct(self.taken.pop(0), work)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        gone = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(gone)
        self.line.remove(gone)

    @precondition(lambda self: self.waiting)
    @rule()
    def shed_last(self) -> None:
        last = self.line.last()
        others = [one for one in self.waiting if one.demand.account == last.demand.account]
        assert last is others[-1], "the newest of its account"

    @invariant()
    def nothing_is_lost(self) -> None:
        self.line.check_integrity()
        assert self.line.count == len(self.waiting)
        assert (self.line.first() is None) == (not self.waiting)
        if not self.waiting:
            assert self.line.accounts == 0, "when nobody waits nothing is remembered"


TestAnyUse = AnyUse.TestCase
TestAnyUse.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
