"""What the pipeline tells a presenter about a request that was served."""

from servery.core.acyclic import acyclic
from servery.core.inference import EngineReport
from servery.core.serving_path import ServingPath
from servery.core.usage import Usage
from servery.core.value import Value


@acyclic
class Served(Value):
    """The facts of an answer at its end. ``model`` is the id that the client asked for; ``usage`` is what the client
    is shown and charged; ``perf_metrics`` is shown in the body only to those who asked."""

    FIELDS = ("request_id", "model", "path", "usage", "report")
    __slots__ = FIELDS

    def __init__(self, *, request_id: str, model: str, path: ServingPath, usage: Usage, report: EngineReport) -> None:
        self.request_id = request_id
        self.model = model
        self.path = path
        self.usage = usage
        self.report = report
