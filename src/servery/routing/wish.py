"""What routing needs to know of a request."""

import msgspec

from servery.routing.chain import Chain


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """``owner`` names who may share prompt-cache entries; ``chain`` is the prompt, made for that owner.

    ``units_per_token``: how much of the chain's unit a token is, such as bytes of text; 1 for a chain in tokens.
    ``tells_first_token``: somebody will tell when the first token is there, as with a stream, or an answer
    of one.
    """

    owner: str
    chain: Chain
    units_per_token: float = 1.0
    generated_tokens: float = 0.0
    session: str | None = None
    tells_first_token: bool = True

    @property
    def prompt_tokens(self) -> float:
        return self.chain.length / self.units_per_token

    @property
    def resident_tokens(self) -> float:
        """What it will hold of a replica's KV cache at its end."""
        return self.chain.length / self.units_per_token + self.generated_tokens
