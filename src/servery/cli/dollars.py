"""Amounts of money as they are typed: ``25``, ``0.50``."""

import click

from servery.core.money import nanodollars_from_dollars


class DollarsAsNano(click.ParamType[int]):
    """Nano-dollars from dollars."""

    name = "dollars"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return nanodollars_from_dollars(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
