"""What the fleet tells while engines start and fall."""

from typing import Protocol


class Progress(Protocol):
    """Told of each step in a replica's life, as it happens; implementations print or log, and never block."""

    def downloading(self, replica: str, model: str) -> None: ...

    def starting(self, replica: str, model: str) -> None: ...

    def ready(self, replica: str, *, seconds: float) -> None: ...

    def failed(self, replica: str, reason: str) -> None: ...
