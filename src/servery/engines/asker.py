"""Who has asked an engine, and hears how it goes."""

from abc import ABC, abstractmethod
from typing import Final


class Asker(ABC):
    """Told of one exchange. A method that is called by its class costs less than one that is handed in."""

    __slots__ = ()

    @abstractmethod
    def answered(self) -> None:
        """The engine begins to answer, whatever it says."""

    @abstractmethod
    def first_event(self) -> None:
        """A stream's first event is about to be passed on."""


class Nobody(Asker):
    """Whom neither concerns."""

    __slots__ = ()

    def answered(self) -> None:
        pass

    def first_event(self) -> None:
        pass


NOBODY: Final = Nobody()
