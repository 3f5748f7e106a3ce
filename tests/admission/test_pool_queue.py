"""The queue in front of a pool, against a model that is too simple to be wrong."""

from collections.abc import Iterable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from servery.admission.pool_queue import PoolQueue, Ticket, TicketState
from servery.core.serving_path import ServingClass

CLASSES = st.sampled_from(list(ServingClass))


class QueueMachine(RuleBasedStateMachine):
    """``inside`` and ``line`` are lists of tickets; the line is in order of arrival, sorted anew each time."""

    def __init__(self) -> None:
        super().__init__()
        self.capacity, self.limit = 2, 3
        self.queue = PoolQueue(capacity=self.capacity, queue_limit=self.limit)
        self.inside: list[Ticket] = []
        self.line: list[Ticket] = []
        self.told: set[Ticket] = set()

    def expect(self, changed: Iterable[Ticket], *, besides: Ticket | None = None) -> None:
        """Follow the rules in the model; ``changed`` must be just those whose fate was decided."""
        expected: set[Ticket] = set()
        while len(self.inside) < self.capacity and self.line:
            first = min(self.line, key=lambda ticket: ticket.serving_class)  # stable: the oldest of the class
            self.line.remove(first)
            self.inside.append(first)
            expected.add(first)
        while len(self.line) > self.limit:
            lowest = max(ticket.serving_class for ticket in self.line)
            last = [ticket for ticket in self.line if ticket.serving_class is lowest][-1]
            self.line.remove(last)
            expected.add(last)
            assert last.state is TicketState.SHED
        assert set(changed) == expected - {besides}

    @rule(serving_class=CLASSES)
    def enter(self, serving_class: ServingClass) -> None:
        ticket = Ticket(serving_class)
        ahead = self.queue.waiting_ahead_of(serving_class)
        assert ahead == sum(one.serving_class <= serving_class for one in self.line)
        changed = self.queue.enter(ticket)
        self.line.append(ticket)
        self.expect(changed, besides=ticket)

    @precondition(lambda self: self.inside)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(self.inside))
        self.inside.remove(ticket)
        self.expect(self.queue.leave(ticket))

    @precondition(lambda self: self.line)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(self.line))
        self.line.remove(ticket)
        self.expect(self.queue.leave(ticket))

    @rule(capacity=st.integers(min_value=0, max_value=5))
    def resize(self, capacity: int) -> None:
        self.capacity = capacity
        self.expect(self.queue.resize(capacity))

    @invariant()
    def agrees_with_the_model(self) -> None:
        self.queue.check_integrity()
        assert self.queue.inside == len(self.inside)
        assert self.queue.waiting == len(self.line)
        assert all(ticket.state is TicketState.ADMITTED for ticket in self.inside)
        assert all(ticket.state is TicketState.WAITING for ticket in self.line)


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


def test_a_shed_ticket_that_leaves_frees_nothing() -> None:
    """It was not inside, and leaving twice is leaving once."""
    queue = PoolQueue(capacity=1, queue_limit=0)
    first, second = Ticket(ServingClass.STANDARD), Ticket(ServingClass.STANDARD)
    queue.enter(first)
    queue.enter(second)
    assert second.state is TicketState.SHED
    queue.leave(second)
    queue.leave(second)
    assert queue.inside == 1
    queue.leave(first)
    queue.leave(first)
    assert queue.inside == 0


def test_priority_takes_the_place_of_standard_in_a_full_queue() -> None:
    """The newest of the lowest class goes, even though it came first."""
    queue = PoolQueue(capacity=0, queue_limit=2)
    older, newer, priority = Ticket(ServingClass.STANDARD), Ticket(ServingClass.STANDARD), Ticket(ServingClass.PRIORITY)
    queue.enter(older)
    queue.enter(newer)
    assert queue.enter(priority) == [newer]
    assert newer.state is TicketState.SHED
    assert queue.resize(2) == [priority, older]
