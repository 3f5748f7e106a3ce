"""What routing needs to know of a request."""

from servery.core.acyclic import acyclic
from servery.routing.chain import Chain


@acyclic
class Wish:
    """``owner`` names who may share prompt-cache entries; ``chain`` is the prompt, made for that owner.

    ``units_per_token``: how much of the chain's unit a token is, such as bytes of text; 1 for a chain in tokens.
    ``tells_first_token``: somebody will tell when the first token is there, as with a stream, or an answer
    of one. ``resident_tokens`` is what it will hold of a replica's KV cache at its end. Never changed.
    """

    __slots__ = (
        "chain",
        "generated_tokens",
        "owner",
        "prompt_tokens",
        "resident_tokens",
        "session",
        "tells_first_token",
        "units_per_token",
    )

    def __init__(
        self,
        *,
        owner: str,
        chain: Chain,
        units_per_token: float = 1.0,
        generated_tokens: float = 0.0,
        session: str | None = None,
        tells_first_token: bool = True,
    ) -> None:
        self.owner = owner
        self.chain = chain
        self.units_per_token = units_per_token
        self.generated_tokens = generated_tokens
        self.session = session
        self.tells_first_token = tells_first_token
        self.prompt_tokens = chain.length / units_per_token
        self.resident_tokens = self.prompt_tokens + generated_tokens
