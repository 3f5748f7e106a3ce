"""Which format a trace file has, told by its first line."""

from pathlib import Path

import msgspec

from servery.core.misconfigured import Misconfigured
from servery.simulation.traces.azure import AzureTrace, is_header
from servery.simulation.traces.lines import lines_of
from servery.simulation.traces.mooncake import MooncakeTrace
from servery.simulation.traces.own_log import OwnLogTrace
from servery.simulation.traces.request import Trace


class _FirstLine(msgspec.Struct):
    """What tells Mooncake's lines from the platform's own log."""

    input_length: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    hash_ids: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def trace_from_file(file: Path) -> Trace:
    """Raises Misconfigured for a file that cannot be read, holds no request, or has none of the formats known here."""
    first = next(lines_of(file), None)
    if first is None:
        raise Misconfigured(f"{file}: is empty")
    trace: Trace
    if is_header(first):
        trace = AzureTrace(file)
    elif first.text.startswith(b"{"):
        try:
            found = msgspec.json.decode(first.text, type=_FirstLine)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise first.fault(str(error)) from error
        is_mooncake = found.input_length is not msgspec.UNSET or found.hash_ids is not msgspec.UNSET
        trace = MooncakeTrace(file) if is_mooncake else OwnLogTrace(file)
    else:
        raise first.fault("neither Mooncake's JSON lines, nor Azure's CSV, nor the platform's own log as JSON")
    if next(trace.requests(), None) is None:
        raise Misconfigured(f"{file}: holds no request")
    return trace
