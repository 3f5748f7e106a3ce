"""Which format a trace file has, told by its first line."""

from pathlib import Path

from servery.core.misconfigured import Misconfigured
from servery.simulation.traces.azure import HEADER, AzureTrace
from servery.simulation.traces.lines import lines_of
from servery.simulation.traces.mooncake import MooncakeTrace
from servery.simulation.traces.own_log import OwnLogTrace
from servery.simulation.traces.request import Trace


def trace_from_file(file: Path) -> Trace:
    """Raises Misconfigured for a file that cannot be read, is empty, or has none of the formats known here."""
    first = next(lines_of(file), None)
    if first is None:
        raise Misconfigured(f"{file}: is empty")
    if first.text.removeprefix(b"\xef\xbb\xbf").startswith(HEADER[0].encode()):
        return AzureTrace(file)
    if first.text.startswith(b"{"):
        return MooncakeTrace(file) if b'"hash_ids"' in first.text else OwnLogTrace(file)
    raise first.fault("neither Mooncake's JSON lines, nor Azure's CSV, nor the platform's own log as JSON")
