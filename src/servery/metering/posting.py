"""A request that ended, with its charge: what is posted.

A posting is a row of plain values from the moment at which it is made: so it is written into the spool and handed to
the database without being taken apart or put together again on the way.
"""

from typing import Any, Final

import msgspec

from servery.billing.charge import Charge
from servery.metering.usage_record import UsageRecord

Posting = tuple[Any, ...]
"""The values of the query ``insert_usage_records``, in its order, which is that of ``PostingLine``'s fields too. All of
them are exactly ``str``, ``int`` or None: for anything else, members of enumerations included, sqlite3 first looks for
an adapter, at several times the cost of the value. Its length is not part of the type: compiled code would take a tuple
of so many values apart, and put it together again, wherever it is handed on."""

REQUEST_ID: Final = 0
ACCOUNT: Final = 1
MODEL: Final = 3
SERVING_PATH: Final = 4
FINISHED_NS: Final = 13
NANODOLLARS: Final = 18

OFTEN_ALIKE: Final = (ACCOUNT, 2, MODEL, SERVING_PATH, 5, 10, 11, 17, 19, 21)
"""What requests of one client have alike, mostly: account, key, model, path, price, whether estimated, outcome, labels,
asked path, hedge. Not the replica: of one client's requests each may have another."""

encode_into: Final = msgspec.json.Encoder().encode_into
"""Puts a posting as one line of text in the place of what a bytearray holds. One that is used again and again need not
grow."""


def posting(record: UsageRecord, charge: Charge) -> Posting:
    """What is posted of a request that ended."""
    usage, path, asked_path = record.usage, record.serving_path, record.asked_path
    path_name = path._value_
    return (
        record.request_id,
        record.account,
        record.key_id,
        record.model,
        path_name,
        record.price_id,
        usage.prompt_tokens,
        usage.cached_prompt_tokens,
        usage.generated_tokens,
        usage.reasoning_tokens,
        1 if usage.estimated else 0,
        record.outcome._value_,
        record.started_ns,
        record.finished_ns,
        record.replica,
        record.queue_wait_us,
        record.time_to_first_token_us,
        msgspec.json.encode(record.cost_labels).decode() if record.cost_labels else "[]",
        charge.nanodollars,
        path_name if asked_path is path else None if asked_path is None else asked_path._value_,
        record.predicted_cached_prompt_tokens,
        None if record.hedge is None else record.hedge._value_,
    )


def facts(posting: Posting) -> tuple[Any, ...]:
    """What two postings of one request must agree on, in the order of the query ``posted_usage``."""
    return (posting[0], posting[1], posting[5], posting[6], posting[7], posting[8], posting[18])
