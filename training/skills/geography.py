"""Countries with their capitals and continents."""

from __future__ import annotations

from functools import cache
from random import Random

from training.phrasing import TEXT
from training.skills.questions import Question


@cache
def countries() -> tuple[tuple[str, str, str], ...]:
    """Country, capital, continent."""
    lines = (TEXT / "countries.txt").read_text(encoding="utf-8").split("\n")
    return tuple((a, b, c) for a, b, c in (line.split("|") for line in lines if line))


def capital(rng: Random) -> Question:
    """The capital of a country."""
    country, city, _ = rng.choice(countries())
    text = rng.choice(
        (
            "what is the capital of {}",
            "capital of {}",
            "which city is the capital of {}",
            "name the capital of {}",
            "tell me the capital of {}",
            "what is {}'s capital",
            "the capital of {}",
            "do you know the capital of {}",
            "which city is the capital city of {}",
            "what city is the capital of {}",
            "{} capital",
            "i need to know the capital of {}",
            "give me the capital of {}",
            "what is the capital city of {}",
            "what's the capital of {}",
            "where is the government of {}",
            "and the capital of {}",
            "{} has which capital",
            "can you tell me the capital of {}",
        )
    ).format(country)
    return Question(text, f"The capital of {country} is {city}.", city)


def capital_of_what(rng: Random) -> Question:
    """The country of a capital."""
    country, city, _ = rng.choice([row for row in countries() if row[1] not in {"London", "Singapore"}])
    text = rng.choice(
        (
            "{} is the capital of which country",
            "of which country is {} the capital",
            "in which country is {}",
            "where is {}",
            "in what country is {}",
            "which country has the capital {}",
            "what country is {} in",
        )
    ).format(city)
    return Question(text, f"{city} is the capital of {country}.", country.removeprefix("the "))


def continent(rng: Random) -> Question:
    """The continent of a country."""
    country, _, place = rng.choice(countries())
    text = rng.choice(
        (
            "on which continent is {}",
            "which continent is {} on",
            "what continent is {} in",
            "where is {}",
            "is {} in Europe or somewhere else",
            "continent of {}",
            "where can i find {}",
            "in which part of the world is {}",
        )
    ).format(country)
    name = country[:1].upper() + country[1:]
    return Question(text, f"{name} is in {place}.", place)
