"""The platform's own queue, driven by events."""

from collections.abc import Iterator

from tests.simulation.fleets import FLEET, LIMITS, read_fleet, run

from servery.core.serving_path import ServingPath
from servery.simulation.traces.request import Request

ONE_SMALL_REPLICA = FLEET.replace("replicas: 4", "replicas: 1").replace("concurrency: 16", "concurrency: 4")


class PriorityComesLate:
    """Four long Standard prompts fill the replica; then two short Priority ones come."""

    block_tokens = 250

    def requests(self) -> Iterator[Request]:
        for number in range(6):
            is_late = number >= 4
            length = 4 if is_late else 32
            blocks = tuple(range(100 * number, 100 * number + length))
            path = ServingPath.PRIORITY if is_late else ServingPath.STANDARD
            yield Request(0.1 * number, 250 * length, 50, blocks, path=path)


def test_what_has_no_answer_yet_is_called_back_for_priority() -> None:
    """Standard whose prompt is being computed gives its room up and is served later, whole; the others wait in the
    platform. Without that, Priority would wait for an answer to end, which takes more than three seconds."""
    fleet = read_fleet(ONE_SMALL_REPLICA, source="fleet.yaml")
    simulation = run(fleet, "servery", PriorityComesLate())
    standard = simulation.tally.groups["account-0", ServingPath.STANDARD]
    priority = simulation.tally.groups["account-0", ServingPath.PRIORITY]
    assert simulation.tally.called_back == 1
    assert len(standard.first_s) == 4
    assert max(priority.first_s) < 0.5
    plain = run(fleet, "fifo", PriorityComesLate()).tally.groups["account-0", ServingPath.PRIORITY]
    assert min(plain.first_s) > 3.0


def test_nobody_reserves_for_ever_what_was_called_back() -> None:
    """Reservations end with the last attempt (``run`` checks that none is left)."""
    run(read_fleet(ONE_SMALL_REPLICA + LIMITS, source="fleet.yaml"), "servery", PriorityComesLate())
