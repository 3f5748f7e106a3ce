"""What the platform and a download's process tell each other."""

import msgspec


class HubOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Bring a model of ``repository`` (``org/name``) below ``directory``; ``quantization`` None: what is usual."""

    repository: str
    quantization: str | None
    directory: str


class HubFiles(msgspec.Struct, frozen=True, tag=True):
    """The model is there: the paths of its files, the one to be loaded first, then the other parts if it is split."""

    files: tuple[str, ...]


class HubRefusal(msgspec.Struct, frozen=True, tag=True):
    """The model cannot be had; ``reason`` is one line for the operator."""

    reason: str
