"""What the pipeline tells a presenter about a request that was served."""

import msgspec

from servery.core.inference import EngineReport
from servery.core.serving_path import ServingPath
from servery.core.usage import Usage


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of an answer at its end. ``model`` is the id that the client asked for; ``usage`` is what the client
    is shown and charged; ``perf_metrics`` is shown in the body only to those who asked."""

    request_id: str
    model: str
    path: ServingPath
    usage: Usage
    report: EngineReport
