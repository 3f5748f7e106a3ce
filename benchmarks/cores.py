"""Which cores do what: the gateway has one for itself, the engine and the client have the others."""

import os
import shutil

import msgspec


class Cores(msgspec.Struct, frozen=True):
    """Empty: not pinned."""

    gateway: tuple[int, ...] = ()
    load: tuple[int, ...] = ()

    @classmethod
    def of_this_machine(cls) -> "Cores":
        """The first core for the gateway, the rest for the load; nothing is pinned on one core or without taskset."""
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2 or shutil.which("taskset") is None:
            return cls()
        return cls(gateway=(cores[0],), load=tuple(cores[1:]))

    def __str__(self) -> str:
        if not self.gateway:
            return "not pinned"
        return f"gateway on core {_listed(self.gateway)}, client and engine on {_listed(self.load)}"


def pinned(command: list[str], cores: tuple[int, ...]) -> list[str]:
    """``command``, to be run on these cores and no others."""
    return ["taskset", "--cpu-list", _listed(cores), *command] if cores else command


def _listed(cores: tuple[int, ...]) -> str:
    return ",".join(str(core) for core in cores)
