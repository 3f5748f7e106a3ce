"""Who goes, who waits, who gives way: with replicas of the fleet and no event loop."""

from math import inf

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.admission.pools import BATCH, PRIORITY, STANDARD, pool_of, ticket

from servery.admission.policy import AdmissionPolicy
from servery.admission.pool_queue import PoolQueue
from servery.admission.ticket import AdmissionOutcome, Ticket, TicketState
from servery.engines.load import EngineLoad
from servery.fleet.replica import Replica
from servery.fleet.replica_pool import ReplicaPool

WAITING, ADMITTED, RECALLED, SHED = TicketState.WAITING, TicketState.ADMITTED, TicketState.RECALLED, TicketState.SHED


class Door:
    """A queue, and a router that takes the first replica with room."""

    def __init__(self, pool: ReplicaPool, policy: AdmissionPolicy | None = None, *, queue_limit: int = 128) -> None:
        self.pool = pool
        self.queue = PoolQueue(pool, queue_limit=queue_limit, policy=policy or AdmissionPolicy())
        self.now_s = 0.0

    def enter(self, one: Ticket) -> list[Ticket]:
        changed = self.queue.enter(one, self.now_s)
        self.seat([*([one] if one.state is ADMITTED else []), *changed])
        return changed

    def seat(self, changed: list[Ticket]) -> None:
        for one in changed:
            if one.state is ADMITTED:
                held = one.held_at
                self.queue.redeem(one)
                one.replica = self.pool.find_room(one.resident_tokens, first=held)
                assert one.replica is not None, "what was held is there"
                assert not one.avoids(one.replica), "nobody is sent to whom it has to avoid"
                one.replica.occupancy.enter(one.resident_tokens)

    def unseat(self, one: Ticket) -> None:
        if one.replica is not None and one.state in (ADMITTED, RECALLED):
            one.replica.occupancy.leave(one.resident_tokens)

    def leave(self, one: Ticket, work: float | None = None) -> list[Ticket]:
        self.unseat(one)
        changed = self.queue.leave(one, self.now_s, work=work)
        self.seat(changed)
        return changed

    def come_back(self, one: Ticket) -> list[Ticket]:
        self.unseat(one)
        changed = self.queue.come_back(one, self.now_s)
        self.seat([*([one] if one.state is ADMITTED else []), *changed])
        return changed

    def entered(self, *tickets: Ticket) -> tuple[Ticket, ...]:
        for one in tickets:
            self.enter(one)
        return tickets


def states(*tickets: Ticket) -> list[TicketState]:
    return [one.state for one in tickets]


def test_who_finds_room_goes_at_once() -> None:
    """Up to each replica's limit; the next waits and goes when somebody leaves."""
    door = Door(pool_of(replicas=2))
    first, second, third = door.entered(ticket(), ticket(), ticket())
    assert states(first, second, third) == [ADMITTED, ADMITTED, WAITING]
    assert (door.queue.inside, door.queue.waiting) == (2, 1)
    assert door.leave(first) == [third]
    assert third.state is ADMITTED


def test_room_is_counted_in_tokens_too() -> None:
    """A large request waits for so much room in one replica, and nobody overtakes it for being small."""
    door = Door(pool_of(concurrency=10, kv_tokens=100))
    first, large, small = door.entered(ticket(tokens=60), ticket("b", tokens=50), ticket("c", tokens=10))
    assert states(first, large, small) == [ADMITTED, WAITING, WAITING]
    assert door.leave(first) == [large, small]


def test_what_an_engine_reports_counts() -> None:
    """Another gateway's requests take room; once the report is stale they do not."""
    door = Door(pool_of(concurrency=4))
    replica = door.pool.replicas[0]
    (first,) = door.entered(ticket())
    replica.reported(EngineLoad(running=4, waiting=0, scraped_at_s=0.0), replica.occupancy.gone())
    (second,) = door.entered(ticket())
    assert second.state is WAITING
    replica.report_is_stale()
    door.seat(door.queue.room_changed(0.0))
    assert states(first, second) == [ADMITTED, ADMITTED]


def test_streams_behind_an_open_circuit_hold_up_nobody_else() -> None:
    """They are inside, and their replica has no places; the others' places are free all the same."""
    door = Door(pool_of(replicas=2, concurrency=2))
    old = door.entered(*(ticket() for _ in range(4)))
    broken = door.pool.replicas[0]
    while broken.circuit.is_closed:
        trial = broken.circuit.begin()
        trial.failed()
        trial.end()
    waiting = ticket()
    door.enter(waiting)
    assert waiting.state is WAITING
    healthy = next(one for one in old if one.replica is not broken)
    assert door.leave(healthy) == [waiting]
    assert door.queue.inside == 4


def test_whom_a_replica_has_failed_waits_for_another() -> None:
    """Though the one that failed it has room, which others take meanwhile; and goes before them once there is any."""
    door = Door(pool_of(replicas=2))
    one, other = door.entered(ticket(), ticket())
    failed, sound = one.replica, other.replica
    assert failed is not None
    one.avoid(failed)
    assert door.come_back(one) == []
    (late,) = door.entered(ticket())
    assert (late.replica, states(one, late)) == (failed, [WAITING, ADMITTED])
    (later,) = door.entered(ticket("b"))
    assert (later.state, door.queue.waiting) == (WAITING, 2)
    assert door.leave(other) == [one]
    assert one.replica is sound
    assert door.leave(late) == [later]


def test_a_fresh_engine_is_another_replica() -> None:
    """What failed is no more."""
    door = Door(pool_of())
    (one,) = door.entered(ticket())
    (replica,) = door.pool.replicas
    one.avoid(replica)
    assert (door.come_back(one), one.state) == ([], WAITING)
    replica.ready(is_fresh=True)
    door.seat(door.queue.room_changed(door.now_s))
    assert (one.state, one.replica) == (ADMITTED, replica)


@pytest.mark.parametrize("gives_up", [True, False])
def test_who_waits_for_another_replica_may_give_up_or_expire(gives_up: bool) -> None:
    """Nothing of it is left."""
    door = Door(pool_of())
    (one,) = door.entered(ticket())
    one.avoid(door.pool.replicas[0])
    door.come_back(one)
    if gives_up:
        door.leave(one)
    else:
        door.queue.expire(one, door.now_s)
    assert (door.queue.inside, door.queue.waiting) == (0, 0)
    assert one.state is (TicketState.LEFT if gives_up else SHED)


def test_a_failed_request_of_a_lower_class_does_not_go_first() -> None:
    """Nor does Batch go where it leaves no room beside it."""
    door = Door(pool_of(replicas=2))
    one, other, first = door.entered(ticket(), ticket(), ticket("p", PRIORITY))
    replica = one.replica
    assert replica is not None
    door.queue.first_byte(other, door.now_s)
    one.avoid(replica)
    assert door.come_back(one) == [first], "the room that was left is good enough for others"
    (second,) = door.entered(ticket("p", PRIORITY))
    assert states(one, second) == [WAITING, WAITING]
    assert door.leave(other) == [second]
    assert door.leave(second) == [one]


def test_whom_a_replica_has_failed_calls_others_back() -> None:
    """As if it waited in line, and only those whose room is good for it; it goes before those in line."""
    door = Door(pool_of(replicas=3))
    one, first, second = door.entered(ticket("p", PRIORITY), ticket(), ticket())
    failed = one.replica
    assert failed is not None
    one.avoid(failed)
    assert door.come_back(one) == [second], "the last that was sent"
    assert (states(one, first, second), door.queue.recalls) == ([WAITING, ADMITTED, RECALLED], 1)
    (third,) = door.entered(ticket())
    assert third.replica is failed
    room = second.replica
    assert door.come_back(second) == [one]
    assert one.replica is room
    assert states(first, second, third) == [ADMITTED, WAITING, ADMITTED]


def test_nobody_is_called_back_from_where_a_request_failed() -> None:
    """Its room would be of no use."""
    door = Door(pool_of(replicas=2))
    one, heard = door.entered(ticket("p", PRIORITY), ticket())
    door.queue.first_byte(heard, door.now_s)
    assert one.replica is not None
    one.avoid(one.replica)
    door.come_back(one)
    (late,) = door.entered(ticket())
    door.queue.room_changed(door.now_s)
    assert states(one, heard, late) == [WAITING, ADMITTED, ADMITTED]


def test_one_is_called_back_for_each_that_waits_elsewhere_or_in_line() -> None:
    """Also where both wait for the same; Standard calls Batch back."""
    door = Door(pool_of(replicas=4))
    one, *rest = door.entered(ticket("p", PRIORITY), ticket(), ticket(), ticket())
    assert one.replica is not None
    one.avoid(one.replica)
    door.come_back(one)
    assert states(*rest).count(RECALLED) == 1
    door.entered(ticket("q", PRIORITY), ticket("r", PRIORITY))
    assert states(*rest).count(RECALLED) == 2, "one of them found the room that was left"


def test_standard_calls_batch_back_from_elsewhere() -> None:
    """And nobody else."""
    door = Door(pool_of(replicas=3))
    one, other, batch = door.entered(ticket(), ticket(), ticket("b", BATCH))
    assert one.replica is not None
    one.avoid(one.replica)
    assert door.come_back(one) == [batch]
    assert states(one, other, batch) == [WAITING, ADMITTED, RECALLED]
    assert door.come_back(batch) == [one]


def test_who_is_called_back_for_one_elsewhere_goes_where_that_one_failed() -> None:
    """Nobody waits in line, so nobody has looked at the other replicas yet."""
    door = Door(pool_of(replicas=2))
    one, other = door.entered(ticket("p", PRIORITY), ticket())
    failed = one.replica
    assert failed is not None
    one.avoid(failed)
    assert door.come_back(one) == [other]
    assert door.come_back(other) == [one]
    assert states(one, other) == [ADMITTED, ADMITTED]
    assert other.replica is failed


def test_who_is_called_back_for_one_elsewhere_goes_when_prompts_are_computed() -> None:
    """The other replica has room, and prompts before it: that is the moment to look again."""
    door = Door(pool_of(replicas=2))
    one, other = door.entered(ticket("p", PRIORITY), ticket())
    assert one.replica is not None
    one.avoid(one.replica)
    one.replica.occupancy.backlog = Prompts(1.0, rate=1e9)
    one.replica.occupancy.pending_prefill_tokens = 1_000.0
    assert door.come_back(one) == [other]
    assert door.come_back(other) == [one]
    assert states(other) == [WAITING]
    assert door.queue.look_again_s <= 1.0
    assert door.queue.time_passed(1.0) == [other]


def test_the_highest_class_goes_first_elsewhere() -> None:
    """Whoever was failed first."""
    door = Door(pool_of(replicas=3))
    low, high, inside = door.entered(ticket(), ticket("p", PRIORITY), ticket())
    door.queue.first_byte(inside, door.now_s)
    for one in (low, high):
        for replica in door.pool.replicas:
            if replica is not inside.replica:
                one.avoid(replica)
        door.come_back(one)
    assert states(low, high) == [WAITING, WAITING]
    assert door.leave(inside) == [high]
    assert door.leave(high) == [low]


def test_priority_goes_before_standard_goes_before_batch() -> None:
    """Whoever came first."""
    door = Door(pool_of())
    (inside,) = door.entered(ticket())
    door.queue.first_byte(inside, door.now_s)
    batch, standard, priority = door.entered(ticket("b", BATCH), ticket("b"), ticket("b", PRIORITY))
    assert door.leave(inside) == [priority]
    assert door.leave(priority) == [standard]
    assert door.leave(standard) == [batch]


def test_standard_keeps_its_floor() -> None:
    """Of the work that is sent while both wait a tenth is Standard's, and Priority's is the rest."""
    door = Door(pool_of(), queue_limit=1_000)
    (last,) = door.entered(ticket())
    door.queue.first_byte(last, door.now_s)
    door.entered(*(ticket("s") for _ in range(100)), *(ticket("p", PRIORITY) for _ in range(200)))
    sent = []
    for _ in range(200):
        (last,) = (one for one in door.leave(last) if one.state is ADMITTED)
        sent.append(last.demand.serving_class)
    assert sent.count(STANDARD) in (19, 20)


def test_standard_that_has_its_floor_goes_before_no_priority() -> None:
    """What it was sent while no Priority waited counts: a Priority that comes then goes next, however much of that
    there has been."""
    door = Door(pool_of(), queue_limit=1_000)
    (last,) = door.entered(ticket())
    door.queue.first_byte(last, door.now_s)
    door.entered(*(ticket("s") for _ in range(100)))
    for _ in range(50):
        priority = ticket("p", PRIORITY)
        door.enter(priority)
        assert door.leave(last) == [priority]
        (last,) = door.leave(priority)


def test_standard_that_had_more_than_its_floor_goes_before_nobody_for_a_while() -> None:
    """A run of Priority, as chance brings it, entitles it to nothing; but when only Priority is sent for two seconds it
    has its floor again."""
    door = Door(pool_of(), queue_limit=2_000)
    (last,) = door.entered(ticket())
    door.queue.first_byte(last, door.now_s)
    door.entered(*(ticket("s") for _ in range(500)))

    def sent_next() -> Ticket:
        door.now_s += 0.01
        (sent,) = (one for one in door.leave(last) if one.state is ADMITTED)
        door.queue.first_byte(sent, door.now_s)
        return sent

    for number in range(200):
        if number % 2:
            door.enter(ticket("p", PRIORITY))
        last = sent_next()
    door.entered(*(ticket("p", PRIORITY) for _ in range(400)))
    classes = []
    for _ in range(320):
        last = sent_next()
        classes.append(last.demand.serving_class)
    assert STANDARD not in classes[:150]
    assert STANDARD in classes[150:220], "two seconds at a hundred a second, and what one takes to earn"
    assert classes[220:].count(STANDARD) in (9, 10, 11)


def test_batch_takes_only_what_is_idle() -> None:
    """It leaves room beside it for whoever comes next, and takes none while anybody waits."""
    door = Door(pool_of(replicas=2, concurrency=10))
    batch = door.entered(*(ticket("b", BATCH) for _ in range(30)))
    assert states(*batch).count(ADMITTED) == 16
    online = door.entered(ticket(), ticket())
    assert states(*online) == [ADMITTED, ADMITTED]


@pytest.mark.parametrize(("online", "kept"), [(0, 10), (8, 10), (15, 18), (24, 16)])
def test_batch_leaves_as_much_free_as_chance_may_bring_of_others(online: int, kept: int) -> None:
    """Three standard deviations of those who are there, in whole places at each of ten replicas, and a fifth at most;
    but a replica that others fill keeps none."""
    door = Door(pool_of(replicas=10, concurrency=10), queue_limit=1_000)
    for one in door.entered(*(ticket() for _ in range(online))):
        door.queue.first_byte(one, door.now_s)
    batch = door.entered(*(ticket("b", BATCH) for _ in range(120)))
    assert 100 - online - states(*batch).count(ADMITTED) == kept


def test_a_single_place_is_batchs_while_nobody_uses_it() -> None:
    """And given back to the first who wants it."""
    door = Door(pool_of())
    (batch,) = door.entered(ticket("b", BATCH))
    online = ticket()
    assert door.enter(online) == [batch]
    assert states(batch, online) == [RECALLED, WAITING]
    assert door.come_back(batch) == [online]


def test_standard_is_called_back_for_priority_before_its_first_byte() -> None:
    """The one that was sent last; it waits again before its account's others, and goes next."""
    door = Door(pool_of(replicas=2))
    older, newer = door.entered(ticket(), ticket())
    behind, priority = ticket(), ticket("p", PRIORITY)
    door.enter(behind)
    assert door.enter(priority) == [newer]
    assert states(older, newer, behind, priority) == [ADMITTED, RECALLED, WAITING, WAITING]
    assert door.come_back(newer) == [priority]
    assert door.queue.recalls == 1
    assert door.leave(older) == [newer]
    assert door.leave(newer) == [behind]


class Told:
    """A stream's count, of one that goes on."""

    frames = 1
    is_held_up = False
    generated_tokens = None


def test_batch_is_called_back_for_a_place_after_its_first_byte_too() -> None:
    """Nobody watches a row. But not where there is a place, and only its prompts are what others wait for."""
    pool = pool_of(concurrency=2)
    door = Door(pool)
    (batch,) = door.entered(ticket("b", BATCH))
    door.queue.first_byte(batch, door.now_s, Told())
    pool.replicas[0].occupancy.backlog, pool.replicas[0].occupancy.pending_prefill_tokens = Prompts(9.0), 1_000.0
    (waits,) = door.entered(ticket())
    assert states(waits, batch) == [WAITING, ADMITTED]
    pool.replicas[0].occupancy.backlog, pool.replicas[0].occupancy.pending_prefill_tokens = None, 0.0
    door.seat(door.queue.time_passed(door.now_s))
    assert waits.state is ADMITTED
    (other,) = door.entered(ticket())
    assert states(other, batch) == [WAITING, RECALLED]
    assert door.come_back(batch) == [other]
    assert batch.state is WAITING


def test_nobody_is_called_back_after_its_first_byte() -> None:
    """Nor for Standard, nor too long after it was sent, nor a Priority."""
    door = Door(pool_of(replicas=3))
    heard, old = door.entered(ticket(), ticket())
    door.queue.first_byte(heard, door.now_s)
    door.now_s = AdmissionPolicy().recall_within_s + 1
    (other,) = door.entered(ticket("p", PRIORITY))
    assert door.enter(ticket("p", PRIORITY)) == []
    assert door.enter(ticket()) == []
    assert states(heard, old, other) == [ADMITTED] * 3


def test_one_is_called_back_for_each_that_waits() -> None:
    """No more, while the engines are being stopped."""
    door = Door(pool_of(replicas=4))
    inside = door.entered(*(ticket() for _ in range(4)))
    door.entered(*(ticket("p", PRIORITY) for _ in range(2)))
    assert states(*inside).count(RECALLED) == 2
    door.queue.room_changed(0.0)
    assert states(*inside).count(RECALLED) == 2


def test_nobody_is_called_back_for_places_that_come_up_as_soon() -> None:
    """At the rate at which the pool serves. For each beyond those one is."""
    pool = pool_of(replicas=2, concurrency=50)
    door = Door(pool, AdmissionPolicy(recall_beyond_s=0.025, priority_reserve=0.0), queue_limit=1_000)
    inside = list(door.entered(*(ticket() for _ in range(100))))
    door.entered(*(ticket("w") for _ in range(200)))
    for _ in range(100):  # one goes every 10 ms
        door.now_s += 0.01
        inside += door.leave(inside.pop(0))
    assert door.enter(ticket("p", PRIORITY)) == []
    assert door.enter(ticket("p", PRIORITY)) == []
    assert door.enter(ticket("p", PRIORITY)) == [inside[-1]]


def test_a_request_is_called_back_only_so_often() -> None:
    """Then it is left in peace; and one that goes by its floor always is."""
    door = Door(pool_of(), AdmissionPolicy(recalls_per_request=2))
    (standard,) = door.entered(ticket())
    for _ in range(2):
        priority = ticket("p", PRIORITY)
        assert door.enter(priority) == [standard]
        assert door.come_back(standard) == [priority]
        assert door.leave(priority) == [standard]
    assert door.enter(ticket("p", PRIORITY)) == []
    assert standard.state is ADMITTED


def test_who_is_over_before_it_comes_back_has_left() -> None:
    """Its client may be gone just then; its place is the Priority's."""
    door = Door(pool_of())
    (standard,) = door.entered(ticket())
    priority = ticket("p", PRIORITY)
    assert door.enter(priority) == [standard]
    assert door.leave(standard) == [priority]
    assert door.queue.inside == 1


def test_a_full_queue_displaces_the_newest_of_the_greediest_account() -> None:
    """Of Standard, for a Priority and for a Standard of an account that has less; the greediest itself is refused."""
    door = Door(pool_of(), queue_limit=4)
    (inside,) = door.entered(ticket())
    door.queue.first_byte(inside, door.now_s)
    greedy, modest = door.entered(*(ticket("g") for _ in range(3))), door.entered(ticket("m"))
    priority, other, more = ticket("p", PRIORITY), ticket("m"), ticket("g")
    assert door.enter(priority) == [greedy[2]]
    assert greedy[2].outcome is AdmissionOutcome.DISPLACED
    assert door.enter(more) == []
    assert (more.state, more.outcome) == (SHED, AdmissionOutcome.SHED_CAPACITY)
    assert door.enter(ticket("n")) == [greedy[1]]
    assert states(greedy[0], modest[0], priority, other) == [WAITING] * 4


def test_priority_is_shed_last() -> None:
    """Only when Standard has no more of the queue than its floor."""
    door = Door(pool_of(), queue_limit=10)
    (inside,) = door.entered(ticket())
    door.queue.first_byte(inside, door.now_s)
    standard = door.entered(*(ticket(f"s{n}") for n in range(10)))
    priority = door.entered(*(ticket("p", PRIORITY) for _ in range(12)))
    assert states(*standard).count(WAITING) == 1
    assert states(*priority).count(WAITING) == 9
    assert states(*priority).count(SHED) == 3


def busy_door(policy: AdmissionPolicy | None = None) -> tuple[Door, Ticket]:
    """One place, which serves 10 of work a second and has for a while, and whoever is in it now."""
    door = Door(pool_of(), policy, queue_limit=10_000)
    (inside,) = door.entered(ticket("x"))
    door.entered(*(ticket("x") for _ in range(3)))
    for _ in range(60):
        door.now_s += 1.0
        door.enter(ticket("x"))
        (inside,) = (one for one in door.leave(inside) if one.state is ADMITTED)
        door.queue.first_byte(inside, door.now_s)
    while door.queue.waiting > 1:
        door.now_s += 1.0
        (inside,) = (one for one in door.leave(inside) if one.state is ADMITTED)
        door.queue.first_byte(inside, door.now_s)
    return door, inside


def test_a_wait_is_predicted_from_the_work_ahead_and_the_rate() -> None:
    """Ten of work ahead at ten a second are a second; another account's first does not wait for all of a queue."""
    door, _ = busy_door()
    assert 0.8 < door.queue.predicted_wait_s(ticket("x")) < 1.3
    door.entered(*(ticket("x") for _ in range(3)))
    assert 3 < door.queue.predicted_wait_s(ticket("x")) < 5
    assert door.queue.predicted_wait_s(ticket("y")) < 1.5
    assert door.queue.predicted_wait_s(ticket("y", PRIORITY)) == 0.0


def test_who_would_wait_too_long_is_refused_at_once() -> None:
    """Large requests and accounts with much waiting first; told when to come back; Priority not yet."""
    door, _ = busy_door()
    tickets = door.entered(*(ticket("x") for _ in range(40)))
    refused = [one for one in tickets if one.state is SHED]
    assert refused
    assert {one.outcome for one in refused} == {AdmissionOutcome.SHED_PREDICTED_WAIT}
    assert all(4 < one.retry_after_s < 12 for one in refused)
    small, large, priority = door.entered(ticket("y"), ticket("z", tokens=200), ticket("x", PRIORITY))
    assert states(small, large, priority) == [WAITING, SHED, WAITING]


def test_a_session_is_shed_as_a_whole() -> None:
    """At the same predicted wait one of two sessions gets in and the other does not, however often it asks."""
    door, _ = busy_door(AdmissionPolicy(standard_budget_s=8.0))
    while door.queue.predicted_wait_s(ticket("x")) < 6.0:
        door.enter(ticket("x"))
    verdicts: dict[str, set[TicketState]] = {}
    for session in "abcdefghij":
        for _ in range(3):
            one = ticket("x", session=session)
            door.enter(one)
            verdicts.setdefault(session, set()).add(one.state)
            door.leave(one)
    assert all(len(seen) == 1 for seen in verdicts.values())
    assert len({next(iter(seen)) for seen in verdicts.values()}) == 2


def test_who_waits_too_long_is_let_go() -> None:
    """Once; who got in meanwhile stays."""
    door = Door(pool_of())
    inside, waiting = door.entered(ticket(), ticket())
    assert door.queue.expire(inside, 1.0) == []
    door.queue.expire(waiting, 1.0)
    assert (inside.state, waiting.outcome) == (ADMITTED, AdmissionOutcome.EXPIRED)
    assert door.queue.waiting == 0


class Prompts:
    """What a replica has to compute until ``wait_s``, at so many tokens a second."""

    def __init__(self, wait_s: float, *, rate: float = 1_000.0) -> None:
        self.wait_s = wait_s
        self.rate = rate

    def prompts_wait_s(self, now_s: float, *, beside: float) -> float:
        return max(0.0, self.wait_s - now_s) + beside / self.rate


def test_places_are_kept_for_priority_only_while_it_comes() -> None:
    """Two seconds after the last of them, Standard that waits is let in where a place had been kept for the next; and
    the queue asks to be looked at then, though nobody comes or goes."""
    door = Door(pool_of(replicas=40), AdmissionPolicy(recalls_per_request=0), queue_limit=1_000)
    inside = list(door.entered(*[ticket() for _ in range(40)]))
    waiting = list(door.entered(*[ticket("p", PRIORITY) for _ in range(40)]))
    for one in list(inside):  # nearly all that are sent are of Priority
        door.now_s += 0.1
        door.leave(one)
    assert all(one.state is ADMITTED for one in waiting)
    last = ticket("p", PRIORITY)
    door.enter(last)
    late = ticket("late")
    door.enter(late)
    door.leave(waiting[0])
    assert (last.state, late.state) == (ADMITTED, WAITING)
    door.leave(waiting[1])
    assert late.state is WAITING, "a place is free, and kept"
    assert door.queue.look_again_s == pytest.approx(door.now_s + 2.0)
    door.now_s = door.queue.look_again_s
    changed = door.queue.time_passed(door.now_s)
    door.seat(changed)
    assert changed == [late]


def test_standard_leaves_priority_two_replicas_where_no_prompt_waits() -> None:
    """Though enough places are free elsewhere; it goes when a third replica should have computed what it had."""
    pool = pool_of(replicas=40)
    door = Door(pool, AdmissionPolicy(recalls_per_request=0), queue_limit=1_000)
    inside = list(door.entered(*[ticket() for _ in range(40)]))
    running = list(door.entered(*[ticket("p", PRIORITY) for _ in range(40)]))
    for one in inside:  # nearly all that are sent are of Priority
        door.now_s += 0.1
        door.leave(one)
    for one in running[:30]:
        door.leave(one)
    door.enter(ticket("p", PRIORITY))
    empty = [one for one in pool.replicas if one.occupancy.sequences == 0]
    for replica in empty[2:]:
        replica.occupancy.backlog = Prompts(door.now_s + 0.5)
        replica.occupancy.pending_prefill_tokens = 1_000.0
    (standard,) = door.entered(ticket())
    assert standard.state is WAITING
    assert door.queue.look_again_s == pytest.approx(door.now_s + 0.495)
    (priority,) = door.entered(ticket("p", PRIORITY))
    assert priority.state is ADMITTED, "they are for the next of Priority"
    door.leave(priority)
    assert standard.state is WAITING
    door.now_s += 0.5
    door.seat(door.queue.time_passed(door.now_s))
    assert standard.state is ADMITTED


def test_prompts_wait_here_while_an_engine_has_prompts_to_compute() -> None:
    """Though it has places: the next is sent when what is there should soon be computed, or has been."""
    pool = pool_of(concurrency=8)
    occupancy = pool.replicas[0].occupancy
    occupancy.backlog, occupancy.pending_prefill_tokens = Prompts(1.0), 1_000.0
    door = Door(pool, AdmissionPolicy(prefill_ahead_s=0.25))
    first, second, third = (ticket(tokens=tokens) for tokens in (500, 100, 100))
    door.entered(first, second, third)
    assert states(first, second, third) == [WAITING] * 3
    assert door.queue.look_again_s == pytest.approx(0.75)
    door.now_s = 0.75
    door.seat(door.queue.time_passed(door.now_s))
    assert states(first, second, third) == [ADMITTED, WAITING, WAITING], "it is counted before it is sent"
    occupancy.pending_prefill_tokens = 0.0
    door.seat(door.queue.first_byte(first, door.now_s))
    assert states(second, third) == [ADMITTED, ADMITTED], "small prompts together are as one"


def test_no_look_is_planned_where_places_are_what_is_short() -> None:
    """Then only one who leaves can change anything."""
    door = Door(pool_of())
    door.entered(ticket(), ticket())
    assert door.queue.look_again_s == inf


def test_time_lets_in_who_is_smaller_than_the_last_in_turn() -> None:
    """A Priority that fits nowhere leaves no look planned. Once it has gone, the small Standard behind it waits only
    for prompts to be computed elsewhere, and for no longer."""
    pool = pool_of(replicas=2, concurrency=2, kv_tokens=100)
    door = Door(pool)
    backlog = pool.replicas[0].occupancy.backlog = Prompts(0.0, rate=1e9)
    (one,) = door.entered(ticket(tokens=1))
    backlog.wait_s, pool.replicas[0].occupancy.pending_prefill_tokens = 1.0, 1_000.0
    (other,) = door.entered(ticket(tokens=1))
    door.queue.first_byte(one, door.now_s)
    door.queue.first_byte(other, door.now_s)
    large, small = door.entered(ticket("b", PRIORITY, tokens=100), ticket(tokens=1))
    assert states(large, small) == [WAITING, WAITING]
    assert (door.leave(other), small.state) == ([large], WAITING)
    assert door.queue.look_again_s == pytest.approx(1.0, abs=0.1)


class AnyUse(RuleBasedStateMachine):
    """Requests of all classes come, go, are called back and give up, while replicas fall, rise and change size."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = pool_of(replicas=3, concurrency=2, kv_tokens=100)
        self.door = Door(self.pool, queue_limit=6)
        self.tickets: list[Ticket] = []
        self.shrunk: set[Replica] = set()
        for replica in self.pool.replicas:
            # What is sent in these examples is computed in no time: only others' prompts take any.
            replica.occupancy.backlog = Prompts(0.0, rate=1e9)

    def of(self, *wanted: TicketState) -> list[Ticket]:
        return [one for one in self.tickets if one.state in wanted]

    @rule(account=st.sampled_from("abc"), serving_class=st.sampled_from([*[STANDARD] * 3, PRIORITY, BATCH]),
          tokens=st.integers(1, 120))  # fmt: skip
    def enter(self, account: str, serving_class: object, tokens: int) -> None:
        one = ticket(account, serving_class, tokens=tokens)  # type: ignore[arg-type]
        before = {each: each.state for each in self.tickets}
        changed = self.door.enter(one)
        shed = [each for each in [one, *changed] if each.state is SHED]
        assert len(shed) <= 1
        for each in shed:
            if each.demand.serving_class is PRIORITY and each.outcome is not AdmissionOutcome.SHED_PREDICTED_WAIT:
                assert not [one for one in self.of(WAITING) if one.demand.serving_class is BATCH]
        assert all(each.state is not before[each] for each in changed)
        self.tickets.append(one)

    @precondition(lambda self: self.of(ADMITTED, RECALLED, WAITING))
    @rule(data=st.data(), work=st.one_of(st.none(), st.integers(0, 500)))
    def leave(self, data: st.DataObject, work: int | None) -> None:
        one = data.draw(st.sampled_from(self.of(ADMITTED, RECALLED, WAITING)))
        self.door.leave(one, work)
        self.tickets.remove(one)

    @precondition(lambda self: self.of(RECALLED))
    @rule()
    def come_back(self) -> None:
        self.door.come_back(self.of(RECALLED)[0])

    @precondition(lambda self: self.of(ADMITTED))
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        """A replica fails one of its requests, which is to go to another."""
        one = data.draw(st.sampled_from(self.of(ADMITTED)))
        assert one.replica is not None
        one.avoid(one.replica)
        self.door.come_back(one)

    @precondition(lambda self: self.of(ADMITTED))
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        self.door.seat(self.door.queue.first_byte(data.draw(st.sampled_from(self.of(ADMITTED))), self.door.now_s))

    @rule(number=st.integers(0, 2), is_up=st.booleans())
    def replicas_move(self, number: int, is_up: bool) -> None:
        replica = self.pool.replicas[number]
        replica.ready(is_fresh=True) if is_up else replica.down("test")
        self.door.seat(self.door.queue.room_changed(self.door.now_s))

    @rule(number=st.integers(0, 2), sequences=st.integers(0, 4))
    def resize(self, number: int, sequences: int) -> None:
        replica = self.pool.replicas[number]
        if sequences < replica.occupancy.sequences:
            self.shrunk.add(replica)
        replica.limit(sequences)
        self.door.seat(self.door.queue.room_changed(self.door.now_s))

    @rule(seconds=st.floats(0, 10))
    def wait(self, seconds: float) -> None:
        """No longer than until somebody may go in for no other reason."""
        self.door.now_s = min(self.door.now_s + seconds, max(self.door.now_s, self.door.queue.look_again_s))
        if self.door.now_s == self.door.queue.look_again_s:
            self.door.seat(self.door.queue.time_passed(self.door.now_s))

    @rule(number=st.integers(0, 2), seconds=st.floats(0, 3))
    def prompts_are_sent(self, number: int, seconds: float) -> None:
        """By others who came before: it only ever gets more by that, and less as time passes."""
        occupancy = self.pool.replicas[number].occupancy
        prompts = occupancy.backlog
        assert isinstance(prompts, Prompts)
        prompts.wait_s = max(prompts.wait_s, self.door.now_s + seconds)
        occupancy.pending_prefill_tokens = 1_000.0
        self.door.seat(self.door.queue.room_changed(self.door.now_s))

    @invariant()
    def places_agree(self) -> None:
        self.door.queue.check_integrity()
        inside = self.of(ADMITTED, RECALLED)
        assert self.door.queue.inside == len(inside)
        assert self.door.queue.waiting == len(self.of(WAITING))
        for replica in self.pool.replicas:
            there = [one for one in inside if one.replica is replica]
            occupancy = replica.occupancy
            occupancy.check_integrity()
            assert (occupancy.sequences, occupancy.held) == (len(there), 0), "no place outlives its request"
            if replica not in self.shrunk:
                assert occupancy.sequences <= max(1, occupancy.sequences_limit)
            if occupancy.sequences > 1:
                assert occupancy.used_tokens <= 100

    @invariant()
    def nobody_waits_beside_room(self) -> None:
        waiting = self.of(WAITING)
        for one in waiting:
            if one.avoided and one.demand.serving_class is PRIORITY:
                assert not any(
                    each.has_room_for(one.resident_tokens) for each in self.pool.replicas if not one.avoids(each)
                )
        in_line = [one for one in waiting if not one.avoided]
        if any(one.demand.serving_class is not BATCH for one in in_line) and not self.of(RECALLED):
            head = self.door.queue._turns.next()
            assert head is not None
            now_s, ahead_s = self.door.now_s, self.door.queue._ahead_s
            if head.demand.serving_class is STANDARD and not self.pool.has_more_free_than(self.door.queue._reserved):
                return  # what is free is kept for Priority
            room = self.pool.find_room(head.resident_tokens, now_s=now_s, ahead_s=ahead_s)
            assert room is None or self.door.queue.look_again_s <= now_s + 0.01
            if self.pool.find_room(head.resident_tokens) is not None:
                assert self.door.queue.look_again_s < inf, "time alone will let it in"

    def teardown(self) -> None:
        """Everybody goes, and nothing is left."""
        for replica in self.pool.replicas:
            replica.occupancy.backlog = None
            replica.limit(4)
            replica.ready(is_fresh=True)
        self.door.seat(self.door.queue.room_changed(self.door.now_s))
        for _ in range(1_000):
            left = self.of(ADMITTED, RECALLED)
            if not left:
                break
            self.door.leave(left[0])
            self.tickets.remove(left[0])
        assert not self.of(WAITING), "everybody's turn comes"
        assert (self.door.queue.inside, self.door.queue.waiting) == (0, 0)


TestAnyUse = AnyUse.TestCase
TestAnyUse.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
