"""Passes a slow client's back-pressure on to what feeds it."""

from servery.serving.reply import Flow


class WritePressure:
    """On while the client does not take what is written; attached flows are paused as long."""

    __slots__ = ("_flows", "_on_since_s")

    def __init__(self) -> None:
        self._flows: list[Flow] = []
        self._on_since_s: float | None = None

    def attach(self, flow: Flow) -> None:
        self._flows.append(flow)
        if self._on_since_s is not None:
            flow.pause()

    def detach(self, flow: Flow) -> None:
        self._flows.remove(flow)

    def on(self, *, now_s: float) -> None:
        self._on_since_s = now_s
        for flow in self._flows:
            flow.pause()

    def off(self) -> None:
        self._on_since_s = None
        for flow in self._flows:
            flow.resume()

    def held_s(self, now_s: float) -> float:
        """How long the client has been taking nothing; 0 when it takes."""
        return 0.0 if self._on_since_s is None else now_s - self._on_since_s
