"""A request that ended, with its charge: what is posted.

A posting is a row of plain values from the moment at which it is made: so it is written into the spool and handed to
the database without being taken apart or put together again on the way.
"""

from typing import Final

import msgspec

from servery.billing.charge import Charge
from servery.metering.usage_record import UsageRecord

Posting = tuple[
    str,  # request_id
    str,  # account
    str,  # key_id
    str,  # model
    str,  # serving_path
    str,  # price_id
    int,  # prompt_tokens
    int,  # cached_prompt_tokens
    int,  # generated_tokens
    int,  # reasoning_tokens
    int,  # estimated, 0 or 1
    str,  # outcome
    int,  # started_ns
    int,  # finished_ns
    str,  # replica
    int,  # queue_wait_us
    int | None,  # time_to_first_token_us
    str,  # cost_labels, a JSON array of pairs
    int,  # charge_nanodollars
    str | None,  # asked_path
    int | None,  # predicted_cached_prompt_tokens
    str | None,  # hedge
]
"""The values of the query ``insert_usage_records``, all of them exactly ``str`` or ``int``: for anything else, members
of enumerations included, sqlite3 first looks for an adapter, at several times the cost of the value."""

REQUEST_ID: Final = 0
ACCOUNT: Final = 1
FINISHED_NS: Final = 13
NANODOLLARS: Final = 18

encoded = msgspec.json.Encoder().encode
"""A posting as one line of text."""


def posting(record: UsageRecord, charge: Charge) -> Posting:
    """What is posted of a request that ended."""
    usage, asked_path = record.usage, record.asked_path
    return (
        record.request_id,
        record.account,
        record.key_id,
        record.model,
        f"{record.serving_path}",
        record.price_id,
        usage.prompt_tokens,
        usage.cached_prompt_tokens,
        usage.generated_tokens,
        usage.reasoning_tokens,
        int(usage.estimated),
        f"{record.outcome}",
        record.started_ns,
        record.finished_ns,
        record.replica,
        record.queue_wait_us,
        record.time_to_first_token_us,
        msgspec.json.encode(record.cost_labels).decode() if record.cost_labels else "[]",
        charge.nanodollars,
        None if asked_path is None else f"{asked_path}",
        record.predicted_cached_prompt_tokens,
        None if record.hedge is None else f"{record.hedge}",
    )


def facts(posting: Posting) -> tuple[str, str, str, int, int, int, int]:
    """What two postings of one request must agree on, in the order of the query ``posted_usage``."""
    return (posting[0], posting[1], posting[5], posting[6], posting[7], posting[8], posting[18])
