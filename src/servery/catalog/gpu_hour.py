"""What an hour of an accelerator costs, as people write it."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Final, Self

from servery.core.money import MICRODOLLARS_PER_DOLLAR

_MAX_DOLLARS_PER_HOUR: Final = Decimal(1_000_000)


class PricePerHour(int):
    """Micro-dollars for an hour of one accelerator, written in a catalog as dollars."""

    @classmethod
    def parse(cls, dollars_per_hour: str) -> Self:
        """Exact; raises ValueError for what is not an amount of dollars from 0 to a million, or finer than a
        micro-dollar."""
        try:
            dollars = Decimal(dollars_per_hour)
        except InvalidOperation:
            raise ValueError(f"{dollars_per_hour!r} is not an amount of dollars") from None
        if not dollars.is_finite() or not 0 <= dollars <= _MAX_DOLLARS_PER_HOUR:
            raise ValueError(f"the price of an hour lies between 0 and {_MAX_DOLLARS_PER_HOUR} dollars")
        microdollars = dollars * MICRODOLLARS_PER_DOLLAR
        if microdollars != microdollars.to_integral_value():
            raise ValueError(f"{dollars_per_hour} is finer than a micro-dollar")
        return cls(int(microdollars))


GpuHours = Mapping[str, PricePerHour]
"""By accelerator type, such as ``h100``. Billed by the second."""

DEFAULT_GPU_HOURS: GpuHours = MappingProxyType(
    {
        accelerator_type: PricePerHour.parse(dollars)
        for accelerator_type, dollars in (("h100", "8"), ("h200", "8"), ("b200", "13"), ("b300", "15"), ("gb300", "20"))
    }
)
