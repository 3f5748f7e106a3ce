"""A usage record: what one request used, and how it went."""

from servery.core.acyclic import acyclic
from servery.core.hedge_outcome import HedgeOutcome
from servery.core.serving_path import Outcome, ServingPath
from servery.core.usage import Usage
from servery.core.value import Value


@acyclic
class UsageRecord(Value):
    """Written once, when a request that reached an engine has ended. ``model`` is the id that the client asked for;
    ``price_id`` the price version that was in force at admission.

    ``queue_wait_us`` and ``time_to_first_token_us`` are microseconds; the latter None when no token came.
    ``cost_labels`` are pairs such as ``("team", "search")``. ``asked_path`` is the serving path that the client asked
    for; ``predicted_cached_prompt_tokens`` how many the router expected to be cached; each None where not known.
    ``hedge`` is how a second attempt ended, None where there was none.
    """

    FIELDS = (
        "request_id",
        "account",
        "key_id",
        "model",
        "serving_path",
        "price_id",
        "usage",
        "outcome",
        "started_ns",
        "finished_ns",
        "replica",
        "queue_wait_us",
        "time_to_first_token_us",
        "cost_labels",
        "asked_path",
        "predicted_cached_prompt_tokens",
        "hedge",
    )
    __slots__ = FIELDS

    def __init__(
        self,
        *,
        request_id: str,
        account: str,
        key_id: str,
        model: str,
        serving_path: ServingPath,
        price_id: str,
        usage: Usage,
        outcome: Outcome,
        started_ns: int,
        finished_ns: int,
        replica: str,
        queue_wait_us: int,
        time_to_first_token_us: int | None = None,
        cost_labels: tuple[tuple[str, str], ...] = (),
        asked_path: ServingPath | None = None,
        predicted_cached_prompt_tokens: int | None = None,
        hedge: HedgeOutcome | None = None,
    ) -> None:
        self.request_id = request_id
        self.account = account
        self.key_id = key_id
        self.model = model
        self.serving_path = serving_path
        self.price_id = price_id
        self.usage = usage
        self.outcome = outcome
        self.started_ns = started_ns
        self.finished_ns = finished_ns
        self.replica = replica
        self.queue_wait_us = queue_wait_us
        self.time_to_first_token_us = time_to_first_token_us
        self.cost_labels = cost_labels
        self.asked_path = asked_path
        self.predicted_cached_prompt_tokens = predicted_cached_prompt_tokens
        self.hedge = hedge
