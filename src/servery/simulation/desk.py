"""What visits of one serving path are served with: the platform's parts, and the books of the run."""

from collections.abc import Callable
from random import Random

from servery.billing.rating import rate
from servery.core.price import Price
from servery.core.usage import Usage
from servery.limits.estimate import Estimator
from servery.limits.estimated import Estimate
from servery.serving.retry import RetryBudget
from servery.simulation.agenda import Agenda
from servery.simulation.clients import Clients
from servery.simulation.policies.door import Door
from servery.simulation.policies.placing import Placing
from servery.simulation.reservation import Reservations
from servery.simulation.tally import Ending, Tally
from servery.simulation.traces.request import Request
from servery.simulation.virtual_clock import VirtualClock

BYTES_PER_TOKEN = 4
"""Of every simulated prompt. The gateway counts bytes and has to learn the ratio."""


class Desk:
    """``estimator`` and ``retry_budget`` are shared by all paths, which serve one model. ``again`` makes a
    client call once more: with its request, and how often it has called by then. ``ended`` is called at the end of each
    request, however that came."""

    def __init__(
        self,
        *,
        agenda: Agenda,
        clients: Clients,
        random: Random,
        tally: Tally,
        estimator: Estimator,
        retry_budget: RetryBudget,
        price: Price,
        reservations: Reservations,
        door: Door,
        placing: Placing,
        again: Callable[[Request, int], None],
        ended: Callable[[], None],
    ) -> None:
        self.agenda = agenda
        self.clock: VirtualClock = agenda.clock
        self.clients = clients
        self.tally = tally
        self.price = price
        self.reservations = reservations
        self.door = door
        self.placing = placing
        self.retry_budget = retry_budget
        self.estimator = estimator
        self._random = random
        self._again = again
        self._ended = ended

    def estimate(self, request: Request) -> Estimate:
        """As the platform guesses, from the prompt's bytes and what it has learned. Each account has one key; no trace
        tells ``max_tokens``."""
        prompt = max(1, round(request.prompt_tokens * BYTES_PER_TOKEN / self.estimator.bytes_per_token))
        cached = int(self.placing.forecast(request))
        return Estimate(prompt, max(0, prompt - cached), int(self.estimator.generated_tokens_of(request.account)))

    def complete(self, request: Request, usage: Usage, *, first_s: float, per_token_s: float | None) -> None:
        """The whole answer was delivered: charge it and learn from it."""
        self.estimator.learn(
            usage, key_id=request.account, prompt_bytes=request.prompt_tokens * BYTES_PER_TOKEN, answers=1
        )
        self.tally.completed(
            request,
            usage,
            first_s=first_s,
            per_token_s=per_token_s,
            nanodollars=rate(usage, self.price).nanodollars,
            now_s=self.clock.now_s,
        )
        self._ended()

    def refuse(self, request: Request, ending: Ending, *, retry_after_s: float, tries: int) -> None:
        """The client is told, and calls again or does not."""
        wait_s = self.clients.wait_s(tries=tries, retry_after_s=retry_after_s, random=self._random)
        if wait_s is None:
            self.tally.refused(request, ending)
            self._ended()
            return
        self.tally.retries += 1
        self.agenda.after(wait_s, lambda: self._again(request, tries + 1))
