"""From a catalog's text to a Catalog: parse, convert, check the parts against each other.

Every fault is told with file, line and field, all faults of a file at once, so that an operator mends it in one go.
"""

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from servery.catalog.catalog import Catalog
from servery.catalog.consistency import Consistency
from servery.catalog.conversion_fault import conversion_fault
from servery.catalog.document import Document
from servery.catalog.document import Path as FieldPath
from servery.catalog.engine import EngineKind
from servery.catalog.gpu_hour import DEFAULT_GPU_HOURS, PricePerHour
from servery.catalog.model import Capability, Model
from servery.catalog.pool import Pool
from servery.catalog.price_bands import PriceBands
from servery.catalog.price_row import PricePerToken
from servery.catalog.router import Router
from servery.catalog.weights import Weights
from servery.core.engine_family import EngineFamily
from servery.core.misconfigured import Misconfigured
from servery.core.resource_name import Collection, ResourceName, checked_resource_id
from servery.core.serving_path import ServingPath

DEFAULT_ACCOUNT: Final = "servery"

_Entry = TypeVar("_Entry", Pool, Model, Router)
_Section = TypeVar("_Section")
_SECTIONS: Final = ("account", "pools", "models", "routers", "price_bands", "gpu_hours")
_CLOSED_SETS: Final[dict[str, type[StrEnum]]] = {
    "capabilities": Capability,
    "family": EngineFamily,
    "kind": EngineKind,
    "serving_path": ServingPath,
}


def read_catalog(text: str, *, source: str, directory: Path, today: date, account: str | None = None) -> Catalog:
    """Read a whole catalog. ``source`` names the file in faults; ``directory`` is what paths in it are relative to;
    ``account`` overrides the file's own. Raises Misconfigured with one line for each fault.
    """
    return _Reader(Document(text, source=source, keys=_SECTIONS), directory).catalog(today, account)


class _Reader:
    """One reading of one file; collects faults."""

    def __init__(self, document: Document, directory: Path) -> None:
        self._document = document
        self._directory = directory
        self._faults: list[tuple[int, str]] = []

    def catalog(self, today: date, account: str | None) -> Catalog:
        for key in self._document.plain:
            if key not in _SECTIONS:
                self._fault((key,), f"unknown; the keys are {', '.join(_SECTIONS)}")
        owner = account or self._account()
        pools = self._entries("pools", Pool, None)
        models = self._entries("models", Model, f"accounts/{owner}/{Collection.MODELS.value}/")
        routers = self._entries("routers", Router, f"accounts/{owner}/{Collection.ROUTERS.value}/")
        bands = self._section("price_bands", PriceBands) or PriceBands()
        gpu_hours = self._section("gpu_hours", dict[str, PricePerHour])
        for section in ("pools", "models"):
            if not self._document.plain.get(section):
                self._fault((section,), "at least one is needed")
        if self._faults:  # what could not be read cannot be compared either
            raise self._misconfigured()
        models = {id_: self._priced(id_, model, bands) for id_, model in models.items()}
        if self._faults:
            raise self._misconfigured()
        consistency = Consistency(pools, models, routers, today)
        for path, message in consistency.faults:
            self._fault(path, message)
        if self._faults:
            raise self._misconfigured()
        return Catalog(
            account=owner,
            pools=pools.values(),
            models=models.values(),
            routers=routers.values(),
            price_bands=bands,
            gpu_hours=DEFAULT_GPU_HOURS if gpu_hours is None else gpu_hours,
            warnings=[self._document.fault(path, message) for path, message in consistency.warnings],
        )

    def _account(self) -> str:
        written = self._document.plain.get("account", DEFAULT_ACCOUNT)
        if not isinstance(written, str):
            self._fault(("account",), "expected an id")
            return DEFAULT_ACCOUNT
        try:
            return checked_resource_id(written)
        except ValueError as error:
            self._fault(("account",), str(error))
            return DEFAULT_ACCOUNT

    def _entries(self, section: str, entry_type: type[_Entry], prefix: str | None) -> dict[str, _Entry]:
        """The section's entries by id. With ``prefix`` an entry's name is a full resource name."""
        written = self._document.plain.get(section, {})
        if not isinstance(written, dict):
            self._fault((section,), "expected a mapping of ids")
            return {}
        entries: dict[str, _Entry] = {}
        for id_, fields in written.items():
            path: FieldPath = (section, id_)
            if not isinstance(fields, dict):
                self._fault(path, "expected a mapping")
                continue
            if "name" in fields:
                self._fault((*path, "name"), "unknown; the key above is the name")
                continue
            try:
                name = checked_resource_id(id_) if prefix is None else str(ResourceName.parse(prefix + id_))
                entries[id_] = msgspec.convert({**fields, "name": name}, entry_type, strict=False, dec_hook=self._hook)
            except msgspec.ValidationError as error:
                self._explain(path, str(error))
            except ValueError as error:
                self._fault(path, str(error))
        return entries

    def _section(self, section: str, wanted: type[_Section]) -> _Section | None:
        """A section that is one value; None where the file has none."""
        written = self._document.plain.get(section)
        if written is None:
            return None
        try:
            return msgspec.convert(written, wanted, strict=False, dec_hook=self._hook)
        except msgspec.ValidationError as error:
            self._explain((section,), str(error))
            return None

    def _priced(self, id_: str, model: Model, bands: PriceBands) -> Model:
        """The model with the prices of its band where it lists none."""
        if model.prices is not None:
            return model
        path: FieldPath = ("models", id_, "prices")
        if model.parameter_count is None:
            self._fault(path, "missing: list prices, or give parameter_count for those of its band")
            return model
        prices = bands.prices(model.parameter_count, is_moe=model.moe, generates=model.generates)
        if prices is None:
            self._fault(path, "missing: no price band reaches a model of this size")
        return msgspec.structs.replace(model, prices=prices)

    def _hook(self, wanted: type, value: object) -> object:
        if not isinstance(value, str):
            raise ValueError("expected one word")
        if wanted is PricePerToken:
            return PricePerToken.parse(value)
        if wanted is PricePerHour:
            return PricePerHour.parse(value)
        assert wanted is Weights, "no other type needs a hook"
        return Weights.parse(value, self._directory)

    def _explain(self, entry: FieldPath, msgspec_error: str) -> None:
        """Record a fault in our words, with the field's full path."""
        self._fault(*conversion_fault(self._document, entry, msgspec_error, _CLOSED_SETS))

    def _fault(self, path: FieldPath, message: str) -> None:
        self._faults.append((self._document.line(path), self._document.fault(path, message)))

    def _misconfigured(self) -> Misconfigured:
        return Misconfigured("\n".join(text for _, text in sorted(self._faults)))
