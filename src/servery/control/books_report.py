"""What an examination of the books found."""

from enum import StrEnum

import msgspec

from servery.metering.cut_requests import CutRequest


class FindingKind(StrEnum):
    """The ways in which books can contradict themselves. ``subject`` of a finding is a request's id unless noted."""

    CHARGE_DIFFERS = "charge_differs"
    """A usage record's charge is not what its tokens cost at its price version."""
    TOKENS_CONTRADICT = "tokens_contradict"
    """A part of a request's tokens is larger than the whole, or negative."""
    PRICE_MISSING = "price_missing"
    """A usage record names a price version that does not exist, or that was altered."""
    PRICE_OF_ANOTHER_MODEL = "price_of_another_model"
    """A usage record names the price version of another model or serving path."""
    PRICE_ALTERED = "price_altered"
    """A price version (the subject) does not belong to its id."""
    USAGE_RECORD_TWICE = "usage_record_twice"
    TRANSFER_TWICE = "transfer_twice"
    """More than one transfer under one id (the subject), or one under a request's id."""
    REVERSAL_DIFFERS = "reversal_differs"
    """A reversal (the subject) that does not undo what it says it reverses."""
    BALANCE_DIFFERS = "balance_differs"
    """A ledger account (the subject) whose kept balance is not the sum of its transfers."""
    SPENDING_DIFFERS = "spending_differs"
    """What is kept of an account's month and budgets go by (the subject: ``charged``, ``credit_used``, ``credit_added``
    or ``reversed``) is not what its transfers come to."""
    CREDIT_DIFFERS = "credit_differs"
    """A credit (the subject) whose transfer is not what the account's list of credits says."""
    CODE_DIFFERS = "code_differs"
    """A credit code (the subject) that was not redeemed as often, or for as much, as is kept."""
    TRANSFER_MISSING = "transfer_missing"
    """GPU time (the subject is its posting) without its transfer."""
    USAGE_RECORD_MISSING = "usage_record_missing"
    """A transfer for GPU time (the subject) that no record tells of."""
    TRANSFER_MALFORMED = "transfer_malformed"
    """A transfer (the subject) that nothing posts: its kind, its id and its ledger accounts do not go together."""
    GPU_TIME_DIFFERS = "gpu_time_differs"
    """GPU time (the subject is its posting) that does not fit its run: other facts, a gap or an overlap, another id or
    moment."""
    PRICE_CHANGE_ALTERED = "price_change_altered"
    """A price change (the subject is its number) that is not what its seal says, or the price version of which is not
    there."""
    MARK_DIFFERS = "mark_differs"
    """A watermark (the subject; a month for where it stood when the month was closed) that lies beyond the last row, or
    not at the last price change."""
    ROW_TWICE = "row_twice"
    """What there can be but one of (the subject is the table and what it is) is there more than once."""
    KEY_OF_ANOTHER_ACCOUNT = "key_of_another_account"
    """Usage of an account (the subject, with the key) by a key that is another's."""
    ROLLUP_DIFFERS = "rollup_differs"
    """An account's sums of an hour, or of a month, are not those of its usage records."""
    MONTH_DIFFERS = "month_differs"
    """A transfer (the subject) is shown in another month than that in which it belongs."""
    INVOICE_DIFFERS = "invoice_differs"
    """An invoice (the subject) that does not say what usage records, price versions and transfers do."""
    MONTH_NOT_CLOSED = "month_not_closed"
    """A month (the subject) that has invoices, or lies between closed months, and is not closed."""
    INVOICE_MISSING = "invoice_missing"
    """An account has something in a closed month and no invoice of it (``servery invoice close`` issues it), or a
    number (the subject) was left out."""
    BALANCES_DO_NOT_CANCEL = "balances_do_not_cancel"
    """All kept balances (the subject is ``balances``) do not sum to zero."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One contradiction. The amounts are None where it is not about an amount, or there is none on that side."""

    kind: FindingKind
    subject: str
    expected_nanodollars: int | None = None
    found_nanodollars: int | None = None


class BooksReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was examined, and every contradiction.

    ``cut_requests`` are no contradiction: an engine worked on them when their platform ended, and they were not
    charged. They are told of until somebody acknowledges them.
    """

    usage_records: int
    transfers: int
    ledger_accounts: int
    invoices: int
    charged_nanodollars: int
    findings: tuple[Finding, ...]
    cut_requests: tuple[CutRequest, ...]

    @property
    def holds(self) -> bool:
        """Whether the books are free of contradiction, to the nano-dollar."""
        return not self.findings
