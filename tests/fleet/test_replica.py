"""A replica's state and what follows from it."""

from tests.fleet.keeping import new_client

from servery.catalog.engine import UrlEngine
from servery.catalog.pool import Pool
from servery.core.clock import ManualClock
from servery.core.engine_family import EngineFamily
from servery.engines.address import EngineAddress
from servery.engines.client import EngineClient
from servery.engines.load import EngineLoad
from servery.fleet.replica import Replica
from servery.fleet.replica_pool import ReplicaPool


def client() -> EngineClient:
    return new_client(EngineAddress(family=EngineFamily.VLLM, host="127.0.0.1", port=1))


def pool() -> ReplicaPool:
    engine = UrlEngine(family=EngineFamily.VLLM, urls=("http://a", "http://b"), served_model="m")
    return ReplicaPool(Pool(name="p", engine=engine, concurrency=3), ManualClock())


def fail(replica: Replica) -> None:
    trial = replica.circuit.begin()
    trial.failed()
    trial.end()


def test_only_ready_replicas_count() -> None:
    """A pool's capacity follows its replicas, and its listeners are told each time."""
    two = pool()
    seen: list[int] = []
    two.listen(lambda: seen.append(two.capacity))
    first, second = two.replicas
    first.up(client())
    second.up(client())
    first.down("test")
    second.drain()
    assert seen == [3, 6, 3, 0]
    assert [one.name for one in two.replicas] == ["p/0", "p/1"]


def test_a_replica_has_room_while_it_is_ready_and_not_full() -> None:
    """In flight is counted by whoever takes seats."""
    replica = pool().replicas[0]
    assert not replica.has_room_for(1)
    replica.up(client())
    assert replica.has_room_for(1)
    for _ in range(3):
        replica.occupancy.enter(1)
    assert (replica.in_flight, replica.has_room_for(1)) == (3, False)


def test_what_changes_a_replicas_room_is_told() -> None:
    """A report, its getting stale and a new limit, each once."""
    one = pool()
    replica = one.replicas[0]
    replica.ready(is_fresh=True)
    replica.occupancy.enter(1)
    seen: list[bool] = []
    one.listen(lambda: seen.append(replica.has_room_for(1)))
    replica.reported(EngineLoad(running=3, waiting=0, scraped_at_s=0.0), replica.occupancy.gone())
    replica.report_is_stale()
    replica.report_is_stale()
    replica.limit(1)
    assert seen == [False, True, False]


def test_a_pool_finds_room_wherever_it_is() -> None:
    """The one asked for first, else any; a replica without a client does for who asks no engine."""
    two = pool()
    assert two.find_room(1) is None
    first, second = two.replicas
    second.ready(is_fresh=True)
    assert two.find_room(1, first=first) is second
    first.ready(is_fresh=True)
    assert two.find_room(1, first=first) is first
    for _ in range(3):
        first.occupancy.enter(1)
    assert two.find_room(1, first=first) is second
    second.down("test")
    assert two.find_room(1) is None


def test_another_client_is_another_incarnation() -> None:
    """The same client is the same engine, back again."""
    replica = pool().replicas[0]
    same = client()
    replica.up(same)
    replica.down("test")
    replica.up(same)
    assert replica.incarnation == 1
    replica.up(client())
    assert replica.incarnation == 2


async def test_a_replica_that_gives_no_answers_is_left_alone() -> None:
    """Its circuit takes its places out of the pool; the trial after the cool-down is a single one."""
    clock = ManualClock()
    engine = UrlEngine(family=EngineFamily.VLLM, urls=("http://a",), served_model="m")
    one = ReplicaPool(Pool(name="p", engine=engine, concurrency=3), clock)
    seen: list[int] = []
    (replica,) = one.replicas
    replica.up(client())
    one.listen(lambda: seen.append(one.capacity))
    for _ in range(replica.circuit.limits.failures_to_open):
        fail(replica)
    assert (one.capacity, replica.has_room_for(1)) == (0, False)
    clock.advance(replica.circuit.limits.cool_down_s)
    assert (one.capacity, replica.has_room_for(1)) == (1, True)
    replica.occupancy.hold(1)
    assert not replica.has_room_for(1), "the trial's place is promised"
    replica.occupancy.release(1)
    trial = replica.circuit.begin()
    assert not replica.has_room_for(1)
    trial.answered()
    trial.end()
    assert one.capacity == 3
    assert seen == [0, 3]


async def test_a_fresh_engine_has_a_closed_circuit() -> None:
    """What is known against the one before does not hold."""
    replica = pool().replicas[0]
    replica.up(client())
    for _ in range(replica.circuit.limits.failures_to_open):
        fail(replica)
    replica.up(client())
    assert replica.has_room_for(1)
