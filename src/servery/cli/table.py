"""A table for people: columns aligned, numbers to the right."""

from collections.abc import Sequence

import click

Cell = str | int | None


def show_table(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print ``rows`` below ``header``. None shows as a hyphen; a column whose cells are all numbers stands right."""
    texts = [["-" if cell is None else str(cell) for cell in row] for row in rows]
    lines = [list(header), *texts]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    right = [bool(texts) and all(_is_number(row[column]) for row in texts) for column in range(len(header))]
    for line in lines:
        cells = [
            text.rjust(width) if to_the_right else text.ljust(width)
            for text, width, to_the_right in zip(line, widths, right, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())


def _is_number(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).isdigit()
