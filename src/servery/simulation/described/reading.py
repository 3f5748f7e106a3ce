"""From the text of a fleet file to a DescribedFleet. Every fault is told with file, line and field, all at once."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from servery.admission.policy import AdmissionPolicy
from servery.catalog.conversion_fault import conversion_fault
from servery.catalog.document import Document
from servery.catalog.document import Path as FieldPath
from servery.catalog.price_row import PricePerToken
from servery.core.misconfigured import Misconfigured
from servery.core.serving_path import ServingPath
from servery.simulation.described.faults import FAULTS, ClockJumps, Fault, FaultKind
from servery.simulation.described.fleet import DescribedFleet, DescribedPath, DescribedPool, DescribedTraffic
from servery.simulation.described.limits import DescribedLimits
from servery.simulation.described.policy import Admission, Policy, Routing, packaged_policies

_SECTIONS: Final = ("pools", "paths", "limits", "traffic", "admission", "policies", "faults")
_OF_ONE_PATH: Final = {"target_tokens_per_second": ServingPath.FAST, "rows_at_once": ServingPath.BATCH}
_CLOSED_SETS: Final[dict[str, type[StrEnum]]] = {
    "routing": Routing,
    "admission": Admission,
    "kind": FaultKind,
}
_Value = TypeVar("_Value")
_Named = TypeVar("_Named", DescribedPool, DescribedPath, Policy)


def fleet_from_file(file: Path) -> DescribedFleet:
    """Raises Misconfigured when it cannot be read or holds faults."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{file}: cannot be read: {error}") from error
    return read_fleet(text, source=str(file))


def read_fleet(text: str, *, source: str) -> DescribedFleet:
    """``source`` names the file in faults. Raises Misconfigured with one line for each fault."""
    return _Reader(Document(text, source=source, keys=_SECTIONS)).fleet()


class _Reader:
    """One reading of one file; collects faults."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._faults: list[tuple[int, str]] = []

    def fleet(self) -> DescribedFleet:
        plain = self._document.plain
        for key in plain:
            if key not in _SECTIONS:
                self._fault((key,), f"unknown; the keys are {', '.join(_SECTIONS)}")
        pools = self._entries("pools", DescribedPool)
        paths = self._entries("paths", DescribedPath, names=tuple(ServingPath))
        policies = self._entries("policies", Policy)
        self._refuse_misplaced(plain.get("paths"))
        limits = self._converted(("limits",), plain["limits"], DescribedLimits) if "limits" in plain else None
        traffic = self._converted(("traffic",), plain.get("traffic", {}), DescribedTraffic)
        admission = self._admission()
        faults = self._list_of_faults()
        for section in ("pools", "paths"):
            if not plain.get(section):
                self._fault((section,), "at least one is needed")
        self._refuse_if_faulty()  # what could not be read cannot be compared either
        for name, path in paths.items():
            if path.pool not in pools:
                self._fault(("paths", name, "pool"), f"no pool is called {path.pool!r}")
        self._check_replicas(faults, pools.values())
        self._refuse_if_faulty()
        return DescribedFleet(
            pools=pools,
            paths={path.name: path for path in paths.values()},
            policies={**packaged_policies(), **policies},
            limits=limits,
            traffic=traffic or DescribedTraffic(),
            admission=admission or AdmissionPolicy(),
            faults=tuple(faults),
        )

    def _entries(self, section: str, entry_type: type[_Named], *, names: Sequence[str] = ()) -> dict[str, _Named]:
        written = self._document.plain.get(section, {})
        if not isinstance(written, dict):
            self._fault((section,), "expected a mapping of names")
            return {}
        entries: dict[str, _Named] = {}
        for name, fields in written.items():
            if not isinstance(fields, dict):
                self._fault((section, name), "expected a mapping")
            elif "name" in fields:
                self._fault((section, name, "name"), "unknown; the key above is the name")
            elif names and name not in names:
                self._fault((section, name), f"is none of {', '.join(names)}")
            elif (entry := self._converted((section, name), {**fields, "name": name}, entry_type)) is not None:
                entries[name] = entry
        return entries

    def _refuse_misplaced(self, paths: object) -> None:
        for name, fields in paths.items() if isinstance(paths, dict) else ():
            for field, its_path in _OF_ONE_PATH.items():
                if isinstance(fields, dict) and field in fields and name != its_path:
                    self._fault(("paths", name, field), f"is only for {its_path.value}")

    def _admission(self) -> AdmissionPolicy | None:
        written = self._document.plain.get("admission", {})
        known = {field.name for field in msgspec.structs.fields(AdmissionPolicy)}
        for key in written if isinstance(written, dict) else ():
            if key not in known:
                self._fault(("admission", key), "unknown")
        return self._converted(("admission",), written, AdmissionPolicy)

    def _list_of_faults(self) -> list[Fault]:
        written = self._document.plain.get("faults", [])
        if not isinstance(written, list):
            self._fault(("faults",), "expected a list")
            return []
        faults: list[Fault] = []
        for place, fields in enumerate(written):
            kind = fields.get("kind") if isinstance(fields, dict) else None
            if not isinstance(kind, str) or kind not in FAULTS:
                self._fault(("faults", place), f"needs a kind, one of {', '.join(FAULTS)}")
                continue
            fault = self._converted(("faults", place), fields, FAULTS[FaultKind(kind)])
            if fault is not None:
                faults.append(fault)
        return faults

    def _converted(self, path: FieldPath, value: object, wanted: type[_Value]) -> _Value | None:
        try:
            return msgspec.convert(value, wanted, strict=False, dec_hook=_hook)
        except msgspec.ValidationError as error:
            self._fault(*conversion_fault(self._document, path, str(error), _CLOSED_SETS))
        except ValueError as error:
            self._fault(path, str(error))
        return None

    def _check_replicas(self, faults: Sequence[Fault], pools: Iterable[DescribedPool]) -> None:
        known = {f"{pool.name}/{number}" for pool in pools for number in range(pool.replicas)}
        for place, fault in enumerate(faults):
            if not isinstance(fault, ClockJumps) and fault.replica not in known:
                self._fault(("faults", place, "replica"), f"no replica is called {fault.replica!r}; such as pool/0")

    def _refuse_if_faulty(self) -> None:
        if self._faults:
            raise Misconfigured("\n".join(text for _, text in sorted(self._faults)))

    def _fault(self, path: FieldPath, message: str) -> None:
        self._faults.append((self._document.line(path), self._document.fault(path, message)))


def _hook(wanted: type, value: object) -> object:
    assert wanted is PricePerToken, "no other type needs a hook"
    if not isinstance(value, str):
        raise ValueError("expected one word")
    return PricePerToken.parse(value)
