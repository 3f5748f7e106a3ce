"""Rating: from usage to a charge. The only place where tokens are multiplied by prices."""

from servery.billing.charge import Charge
from servery.core.money import nanodollars_from_picodollars
from servery.core.price import Price
from servery.core.usage import Usage


def rate(usage: Usage, price: Price) -> Charge:
    """uncached x input + cached x cached input + generated x output; reasoning tokens are generated tokens."""
    cached = usage.cached_prompt_tokens
    picodollars = (
        (usage.prompt_tokens - cached) * price.input_picodollars_per_token
        + cached * price.cached_input_picodollars_per_token
        + usage.generated_tokens * price.output_picodollars_per_token
    )
    return Charge(picodollars, nanodollars_from_picodollars(picodollars))
