"""A usage record: what one request used, and how it went."""

import msgspec

from servery.core.hedge_outcome import HedgeOutcome
from servery.core.serving_path import Outcome, ServingPath
from servery.core.usage import Usage


class UsageRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Written once, when a request that reached an engine has ended. ``model`` is the id that the client asked for;
    ``price_id`` the price version that was in force at admission.

    ``queue_wait_us`` and ``time_to_first_token_us`` are microseconds; the latter None when no token came.
    ``cost_labels`` are pairs such as ``("team", "search")``. ``asked_path`` is the serving path that the client asked
    for; ``predicted_cached_prompt_tokens`` how many the router expected to be cached; each None where not known.
    ``hedge`` is how a second attempt ended, None where there was none.
    """

    request_id: str
    account: str
    key_id: str
    model: str
    serving_path: ServingPath
    price_id: str
    usage: Usage
    outcome: Outcome
    started_ns: int
    finished_ns: int
    replica: str
    queue_wait_us: int
    time_to_first_token_us: int | None = None
    cost_labels: tuple[tuple[str, str], ...] = ()
    asked_path: ServingPath | None = None
    predicted_cached_prompt_tokens: int | None = None
    hedge: HedgeOutcome | None = None
