"""What a replica has in hand, from two signals."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from servery.engines.load import EngineLoad
from servery.fleet.occupancy import Gone, Occupancy


def load(running: int, waiting: int = 0, kv_usage: float | None = None) -> EngineLoad:
    return EngineLoad(running=running, waiting=waiting, kv_usage=kv_usage, scraped_at_s=0.0)


def filled(*tokens: float, sequences_limit: int = 4, tokens_limit: int | None = 1_000) -> Occupancy:
    occupancy = Occupancy(sequences_limit=sequences_limit, tokens_limit=tokens_limit)
    for each in tokens:
        occupancy.enter(each)
    return occupancy


def test_room_is_counted_in_sequences_and_in_tokens() -> None:
    """Either may be what is short; where the tokens' limit is not known only sequences count."""
    assert filled(100, 100, 100).has_room_for(700)
    assert not filled(100, 100, 100).has_room_for(701)
    assert not filled(1, 1, 1, 1).has_room_for(1)
    assert filled(10_000, tokens_limit=None).has_room_for(10_000)


def test_the_first_request_always_fits() -> None:
    """One that is larger than the cache is the engine's to refuse; and a report of being full may be wrong. A limit of
    none lets none in."""
    occupancy = filled()
    occupancy.report(load(9, 9, 1.0), occupancy.gone())
    assert occupancy.has_room_for(5_000)
    occupancy.enter(1)
    assert not occupancy.has_room_for(1)
    assert not filled(sequences_limit=0).has_room_for(1)


def test_what_others_have_there_is_what_the_report_has_beyond_ours() -> None:
    """The engine's number when it is larger; ours when it is larger."""
    occupancy = filled(100, 100)
    occupancy.report(load(3, 2, 0.5), occupancy.gone())
    assert (occupancy.busy_sequences, occupancy.used_tokens) == (5, 500)
    occupancy.report(load(1, 0, 0.1), occupancy.gone())
    assert (occupancy.busy_sequences, occupancy.used_tokens) == (2, 200)


def test_what_happens_after_a_report_counts_on_top_of_it() -> None:
    """Sent and finished alike, at once."""
    occupancy = filled(100, 100)
    occupancy.report(load(3), occupancy.gone())
    occupancy.enter(50)
    assert occupancy.busy_sequences == 4
    occupancy.leave(100)
    occupancy.leave(100)
    assert occupancy.busy_sequences == 2


def test_what_happens_while_the_engine_is_asked_is_not_taken_for_others() -> None:
    """One that it counted and that ended before its answer was read; one that it counted and was sent just then."""
    occupancy = filled(100, 100)
    asked = occupancy.gone()
    occupancy.leave(100)
    occupancy.enter(100)
    occupancy.report(load(3), asked)
    assert occupancy.busy_sequences == 2


def test_what_siblings_may_have_takes_nothing_from_us() -> None:
    """A gateway with a share of 4 of 10 places does not count the 6 that are others' to use, and counts what is there
    beyond them."""
    occupancy = Occupancy(sequences_limit=4, tokens_limit=400, siblings_sequences=6, siblings_tokens=600)
    occupancy.enter(50)
    occupancy.report(load(7, 0, 0.65), occupancy.gone())
    assert (occupancy.other_sequences, occupancy.other_tokens) == (0, 0.0)
    occupancy.report(load(8, 1, 0.75), occupancy.gone())
    assert (occupancy.other_sequences, occupancy.other_tokens) == (2, 100.0)


def test_a_report_that_is_forgotten_counts_no_more() -> None:
    """Only what is ours is left."""
    occupancy = filled(100)
    occupancy.report(load(4, 4, 0.9), occupancy.gone())
    occupancy.forget_report()
    assert (occupancy.busy_sequences, occupancy.used_tokens) == (1, 100)


class AnyUse(RuleBasedStateMachine):
    """Requests of ours come and go beside a number of others', while the engine, which knows all, is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.occupancy = Occupancy(sequences_limit=5, tokens_limit=100)
        self.ours: list[int] = []
        self.held: list[int] = []
        self.others = 0
        self.asked: Gone | None = None
        self.told = 0

    @precondition(lambda self: self.occupancy.has_room_for(10))
    @rule(tokens=st.integers(1, 10), promised=st.booleans())
    def enter(self, tokens: int, promised: bool) -> None:
        (self.occupancy.hold if promised else self.occupancy.enter)(tokens)
        (self.held if promised else self.ours).append(tokens)

    @precondition(lambda self: self.ours)
    @rule()
    def leave(self) -> None:
        self.occupancy.leave(self.ours.pop())

    @precondition(lambda self: self.held)
    @rule()
    def release(self) -> None:
        self.occupancy.release(self.held.pop())

    @rule(others=st.integers(0, 8))
    def other_gateways_move(self, others: int) -> None:
        self.others = others

    @rule()
    def ask(self) -> None:
        self.asked, self.told = self.occupancy.gone(), len(self.ours) + self.others

    @precondition(lambda self: self.asked is not None)
    @rule()
    def hear(self) -> None:
        assert self.asked is not None
        was_quiet = self.told == len(self.ours) + self.others
        self.occupancy.report(load(self.told), self.asked)
        self.asked = None
        if was_quiet and not self.held:
            assert self.occupancy.other_sequences <= self.others, "nothing of ours is taken for another's"

    @invariant()
    def counts_agree(self) -> None:
        self.occupancy.check_integrity()
        assert self.occupancy.sequences == len(self.ours) + len(self.held)
        assert self.occupancy.resident_tokens == sum(self.ours) + sum(self.held)
        assert self.occupancy.sequences <= self.occupancy.sequences_limit


TestAnyUse = AnyUse.TestCase
TestAnyUse.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
