"""A request that ended, with its charge: what is posted."""

import msgspec

from servery.billing.charge import Charge
from servery.metering.usage_record import UsageRecord


class Posting(msgspec.Struct, frozen=True):
    """A request that ended and is charged."""

    record: UsageRecord
    charge: Charge

    @property
    def facts(self) -> tuple[str, str, str, int, int, int, int]:
        """What two postings of one request must agree on, in the order of the query ``posted_usage``."""
        record, usage = self.record, self.record.usage
        return (
            record.request_id,
            record.account,
            record.price_id,
            usage.prompt_tokens,
            usage.cached_prompt_tokens,
            usage.generated_tokens,
            self.charge.nanodollars,
        )
