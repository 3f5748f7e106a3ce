"""The catalog of ``servery serve --model``: the user's own model in place of the demo."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Final

from servery.catalog.catalog import Catalog
from servery.catalog.reading import read_catalog
from servery.catalog.weights import Weights
from servery.core.misconfigured import Misconfigured

SMALL_BELOW_BYTES: Final = 536_870_912
"""Weights below this run in three replicas on one machine; others in two."""

_SPLIT_FILE = re.compile(r"-\d{5}-of-\d{5}$")
_LONGEST_ID: Final = 58
"""63 less the ``-fast`` of the router."""

_TEMPLATE = """\
# Made for {quoted}: a shared pool for Standard and Priority, and one replica of its own for Fast.
# {reason}
pools:
  shared:
    engine: {{kind: embedded, model: {quoted}, slots: {slots}, context_length: 4096, threads: {threads}}}
    replicas: {replicas}
    concurrency: {slots}
    queue: 128
  fast:
    engine: {{kind: embedded, model: {quoted}, slots: 2, context_length: 4096, threads: {threads}}}
    replicas: 1
    concurrency: 2
    queue: 16

models:
  {id}:
    display_name: {display_name}
    pool: shared
    context_length: 4096
    capabilities: [chat, completions, tools, structured_output]
    prices:
      standard: {{input: 0.10, cached_input: 0.05, output: 0.40}}
      priority: {{input: 0.15, cached_input: 0.075, output: 0.60}}
    created: {created}

routers:
  {id}-fast:
    model: {id}
    pool: fast
    serving_path: fast
    prices: {{input: 0.20, cached_input: 0.10, output: 0.80}}
"""


def own_model_catalog_text(model: str, *, cores: int, today: date) -> str:
    """The catalog for ``model`` (a path ending in .gguf, or a Hugging Face name) as text, which may be saved and
    changed. Small weights get 2 shared replicas and 1 Fast one; large ones, and those of unknown size, 1 and 1. The
    cores are shared out among them, so that replicas do not wait for each other's threads.

    Raises Misconfigured when ``model`` is neither.
    """
    try:
        weights = Weights.parse(model, Path.cwd())
    except ValueError as error:
        raise Misconfigured(f"--model: {error}") from error
    small = weights.file is not None and weights.file.stat().st_size < SMALL_BELOW_BYTES
    shared_replicas = 2 if small else 1
    threads = max(1, cores // (shared_replicas + 1))
    stem = _stem(weights)
    return _TEMPLATE.format(
        quoted=_quoted(str(weights)),
        reason=f"{shared_replicas + 1} replicas on {cores} cores: {threads} thread(s) each.",
        slots=8 if small else 4,
        threads=threads,
        replicas=shared_replicas,
        id=model_id(stem),
        display_name=_quoted(stem[:63]),
        created=today.isoformat(),
    )


def own_model_catalog(model: str, *, cores: int, today: date, account: str | None = None) -> Catalog:
    """``own_model_catalog_text``, read."""
    text = own_model_catalog_text(model, cores=cores, today=today)
    return read_catalog(text, source=f"catalog for {model}", directory=Path.cwd(), today=today, account=account)


def model_id(stem: str) -> str:
    """An id from a file's or repository's name: ``Qwen2.5-0.5B-Instruct`` becomes ``qwen2p5-0p5b-instruct``.

    A dot between digits becomes ``p``, anything else that an id cannot hold ``-``.
    """
    plain = re.sub(r"(?<=\d)\.(?=\d)", "p", stem.lower())
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST_ID].strip("-") or "model"


def _stem(weights: Weights) -> str:
    if weights.file is not None:
        return _SPLIT_FILE.sub("", weights.file.name.removesuffix(".gguf"))
    if weights.repository is not None:
        return re.sub(r"(?i)[-_.]gguf$", "", weights.repository.partition("/")[2])
    return str(weights)


def _quoted(text: str) -> str:
    """``text`` as a YAML string, which a JSON string is."""
    return json.dumps(text)
