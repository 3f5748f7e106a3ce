"""An invoice: what an account owes for a month, line by line. Pure.

A request is charged its tokens times its prices, rounded once to nano-dollars. A line shows tokens times price without
any rounding, so the lines of a month differ from what was charged by what the rounding of each request came to. That
is a line of its own; with it, lines and charges agree to the nano-dollar.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from servery.billing.billed_transfers import BilledTransfer
from servery.billing.billing_month import BillingMonth
from servery.billing.gpu_report import GpuSums
from servery.core.money import PICODOLLARS_PER_NANODOLLAR
from servery.core.price import Price
from servery.core.serving_path import ServingPath
from servery.ledger.transfer import TransferKind


class LineKind(StrEnum):
    """What a line is about. ``subject`` and ``detail`` of a line: a model; a deployment, and its accelerator type;
    nothing; a reversal, and what it reverses; a transfer (nothing for a sum of several), and its kind."""

    TOKENS = "tokens"
    GPU_TIME = "gpu_time"
    ROUNDING = "rounding"
    ADJUSTMENT = "adjustment"
    CREDIT = "credit"


class TokenKind(StrEnum):
    """What kinds of token have prices."""

    UNCACHED_PROMPT = "uncached_prompt"
    CACHED_PROMPT = "cached_prompt"
    GENERATED = "generated"


class InvoiceState(StrEnum):
    """A draft grows until its month is closed; what is final never changes."""

    DRAFT = "draft"
    FINAL = "final"


class InvoiceLine(msgspec.Struct, frozen=True, kw_only=True):
    """``quantity`` is tokens or accelerator-seconds, else 1. The amount is ``quantity`` x ``unit_picodollars``, or
    ``nanodollars`` where there is no unit price. What an account is owed is negative."""

    kind: LineKind
    subject: str = ""
    detail: str = ""
    serving_path: ServingPath | None = None
    token_kind: TokenKind | None = None
    price_id: str | None = None
    quantity: int = 1
    unit_picodollars: int | None = None
    nanodollars: int | None = None

    @property
    def picodollars(self) -> int:
        """The amount, exactly."""
        if self.unit_picodollars is not None:
            return self.quantity * self.unit_picodollars
        assert self.nanodollars is not None, "a line has a unit price or an amount"
        return self.nanodollars * PICODOLLARS_PER_NANODOLLAR


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """``number`` and ``issued_ns`` are there once it is final."""

    account: str
    month: BillingMonth
    lines: tuple[InvoiceLine, ...]
    number: int | None = None
    issued_ns: int | None = None

    @property
    def state(self) -> InvoiceState:
        return InvoiceState.DRAFT if self.number is None else InvoiceState.FINAL

    @property
    def total_nanodollars(self) -> int:
        """What the account owes for the month; negative when it is owed."""
        return total_nanodollars(self.lines)

    def of_kind(self, *kinds: LineKind) -> tuple[InvoiceLine, ...]:
        """The lines of these kinds, in their order."""
        return tuple(line for line in self.lines if line.kind in kinds)


class ModelUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What a month has of one model, serving path and price; ``nanodollars`` is what was charged."""

    model: str
    serving_path: ServingPath
    price_id: str
    uncached_prompt_tokens: int
    cached_prompt_tokens: int
    generated_tokens: int
    nanodollars: int


def total_nanodollars(lines: Iterable[InvoiceLine]) -> int:
    """The sum of the lines' amounts, which is whole nano-dollars."""
    total, rest = divmod(sum(line.picodollars for line in lines), PICODOLLARS_PER_NANODOLLAR)
    assert rest == 0, "the rounding line makes the sum whole"
    return total


def invoice_lines(
    usage: Sequence[ModelUsage],
    prices: Mapping[str, Price],
    *,
    gpu: Sequence[GpuSums] = (),
    transfers: Sequence[BilledTransfer] = (),
) -> tuple[InvoiceLine, ...]:
    """All lines of a month, in the order in which they are shown. ``prices`` by the ids that ``usage`` names."""
    tokens = [line for each in sorted(usage, key=_order) for line in _token_lines(each, prices[each.price_id])]
    charged_picodollars = sum(each.nanodollars for each in usage) * PICODOLLARS_PER_NANODOLLAR
    rounding = charged_picodollars - sum(line.picodollars for line in tokens)
    rounded = [InvoiceLine(kind=LineKind.ROUNDING, unit_picodollars=rounding)] if rounding else []
    return (
        *tokens,
        *rounded,
        *map(_gpu_line, sorted(gpu, key=lambda each: (each.deployment, each.accelerator_type, each.price_id))),
        *_transfer_lines(transfers),
    )


def _order(usage: ModelUsage) -> tuple[str, int, str]:
    """By model, and then by serving path as people name them."""
    return usage.model, list(ServingPath).index(usage.serving_path), usage.price_id


def _token_lines(usage: ModelUsage, price: Price) -> list[InvoiceLine]:
    kinds = (
        (TokenKind.UNCACHED_PROMPT, usage.uncached_prompt_tokens, price.input_picodollars_per_token),
        (TokenKind.CACHED_PROMPT, usage.cached_prompt_tokens, price.cached_input_picodollars_per_token),
        (TokenKind.GENERATED, usage.generated_tokens, price.output_picodollars_per_token),
    )
    return [
        InvoiceLine(
            kind=LineKind.TOKENS,
            subject=usage.model,
            serving_path=usage.serving_path,
            token_kind=token_kind,
            price_id=usage.price_id,
            quantity=tokens,
            unit_picodollars=picodollars_per_token,
        )
        for token_kind, tokens, picodollars_per_token in kinds
        if tokens
    ]


def _gpu_line(sums: GpuSums) -> InvoiceLine:
    return InvoiceLine(
        kind=LineKind.GPU_TIME,
        subject=sums.deployment,
        detail=sums.accelerator_type,
        price_id=sums.price_id,
        quantity=sums.accelerator_seconds,
        nanodollars=sums.nanodollars,
    )


def _transfer_lines(transfers: Sequence[BilledTransfer]) -> list[InvoiceLine]:
    """GPU time has lines of its own, so its transfers are left out here."""
    return [
        InvoiceLine(
            kind=LineKind.ADJUSTMENT if each.kind is TransferKind.REVERSAL else LineKind.CREDIT,
            subject=each.transfer_id,
            detail=each.reverses or each.kind.value,
            nanodollars=each.nanodollars,
        )
        for kinds in ((TransferKind.REVERSAL,), tuple(set(TransferKind) - {TransferKind.REVERSAL}))
        for each in transfers
        if each.kind in kinds and each.kind is not TransferKind.GPU_TIME
    ]
