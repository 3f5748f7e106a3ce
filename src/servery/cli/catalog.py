"""``servery catalog``: what is offered."""

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from servery.catalog.own_model import own_model_catalog_text
from servery.catalog.source import catalog_from_file, default_catalog_text


@click.group("catalog")
def catalog_group() -> None:
    """Check a catalog file, or print one to start from."""


@catalog_group.command("check")
@click.argument("file", type=click.Path(path_type=Path))
def check_command(file: Path) -> None:
    """Check the catalog FILE: every fault is named with its line and field."""
    catalog = catalog_from_file(file, today=datetime.now(UTC).date())
    for warning in catalog.warnings:
        click.echo(f"warning: {warning}", err=True)
    counts = f"{len(catalog.models())} models, {len(catalog.routers())} routers, {len(catalog.pools)} pools"
    click.echo(f"{file}: {counts}, no faults")


@catalog_group.command("show")
@click.option("--model", metavar="MODEL", help="For this model (a .gguf file or a Hugging Face name) instead.")
def show_command(model: str | None) -> None:
    """Print the packaged catalog, to be saved and changed."""
    if model is None:
        click.echo(default_catalog_text(), nl=False)
    else:
        today = datetime.now(UTC).date()
        click.echo(own_model_catalog_text(model, cores=os.cpu_count() or 1, today=today), nl=False)
