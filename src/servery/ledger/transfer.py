"""A transfer: the one kind of entry in the books."""

from enum import StrEnum

import msgspec


class TransferKind(StrEnum):
    """Why money moved."""

    USAGE = "usage"
    """A usage record's charge; posted by the meter alone."""
    CREDIT = "credit"
    """Paid in advance, or given."""
    CREDIT_USE = "credit_use"
    """Credits that pay for charges; posted with them, in one transaction."""
    CREDIT_RETURN = "credit_return"
    """What an account does not owe any more after a reversal, as credit."""
    REVERSAL = "reversal"
    GPU_TIME = "gpu_time"
    """Time that a replica of a rented deployment was up."""


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """``nanodollars`` (>= 0) from one ledger account to another: the debit account's balance grows by as much as the
    credit account's shrinks.

    ``id`` is the key by which posting is idempotent, such as a request's id. ``reverses`` is the id of the transfer
    that a reversal undoes; None for all others.
    """

    id: str
    debit_account: str
    credit_account: str
    nanodollars: int
    kind: TransferKind
    created_ns: int
    reverses: str | None = None

    def __post_init__(self) -> None:
        assert self.nanodollars >= 0, "money moves from credit to debit; what moves back is a reversal"
        assert self.debit_account != self.credit_account, "a transfer is between two ledger accounts"
        assert (self.kind is TransferKind.REVERSAL) == (self.reverses is not None), "a reversal names what it reverses"

    def says_the_same_as(self, other: "Transfer") -> bool:
        """Whether both state the same fact; the moment of posting is not part of it."""
        return msgspec.structs.replace(self, created_ns=0) == msgspec.structs.replace(other, created_ns=0)

    def reversal(self, *, created_ns: int) -> "Transfer":
        """The transfer that undoes this one."""
        return Transfer(
            id=f"reversal/{self.id}",
            debit_account=self.credit_account,
            credit_account=self.debit_account,
            nanodollars=self.nanodollars,
            kind=TransferKind.REVERSAL,
            created_ns=created_ns,
            reverses=self.id,
        )
