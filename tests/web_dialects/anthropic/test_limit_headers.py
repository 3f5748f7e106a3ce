"""Limits as Anthropic's clients read them."""

from servery.core.limit_reading import LimitReading
from servery.web.anthropic.limit_headers import anthropic_limit_headers

READING = LimitReading(
    prompt=3_600_000,
    uncached_prompt=900_000,
    generated=36_000,
    requests=6_000,
    prompt_remaining=3_600_000,
    uncached_prompt_remaining=450_000,
    generated_remaining=9_000,
    requests_remaining=5_999,
    read_ns=1_800_000_000_000_000_000,
)


def test_each_limit_has_its_three_headers() -> None:
    """Input without cache reads, output, requests; and of the token limits the one nearest to its end."""
    told = {name.decode(): value.decode() for name, value in anthropic_limit_headers(READING)}
    prefix = "anthropic-ratelimit"
    assert len(told) == 12
    assert told[f"{prefix}-requests-limit"] == "6000"
    assert told[f"{prefix}-requests-remaining"] == "5999"
    assert told[f"{prefix}-input-tokens-limit"] == "900000"
    assert told[f"{prefix}-input-tokens-remaining"] == "450000"
    assert told[f"{prefix}-output-tokens-limit"] == "36000"
    assert told[f"{prefix}-output-tokens-remaining"] == "9000"
    assert (told[f"{prefix}-tokens-limit"], told[f"{prefix}-tokens-remaining"]) == ("36000", "9000")


def test_a_limit_resets_when_all_of_it_is_there_again() -> None:
    """Half of it is missing: half a minute from now."""
    told = {name.decode(): value.decode() for name, value in anthropic_limit_headers(READING)}
    assert told["anthropic-ratelimit-input-tokens-reset"] == "2027-01-15T08:00:30.000000Z"
    assert told["anthropic-ratelimit-output-tokens-reset"] == "2027-01-15T08:00:45.000000Z"
