"""How the fleet comes by a client once it knows an engine's address."""

from collections.abc import Callable

from servery.engines.address import EngineAddress
from servery.engines.client import EngineClient

ClientFactory = Callable[[EngineAddress], EngineClient]
