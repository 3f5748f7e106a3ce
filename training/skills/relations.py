"""Closed lists of pairs: opposites, animals and their young, neighbours in a row; and geography."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from training.conversation import Exchange, ask
from training.phrasing import noisy, phrases, sentence
from training.skills.geography import capital, capital_of_what, continent
from training.skills.questions import Question


def _pairs(key: str) -> dict[str, str]:
    return dict(pair.split(": ") for pair in phrases(key))


WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
MONTH_DAYS = ("31", "28", "31", "30", "31", "30", "31", "31", "30", "31", "30", "31")
NUMBERS = phrases("relations numbers")
YOUNG = _pairs("relations young")
SOUNDS = _pairs("relations sounds")
OPPOSITES = phrases("relations opposites")
COLOURS = _pairs("relations colours")


def neighbour(rng: Random) -> Question:
    """What comes after or before a weekday, a month or a number."""
    row, noun = rng.choice(((WEEKDAYS, "day"), (MONTHS, "month"), (NUMBERS, "number")))
    at = rng.randrange(1, len(row) - 1)
    after = rng.random() < 0.55
    other, word = (row[at + 1], "after") if after else (row[at - 1], "before")
    follow = rng.choice(("comes", "is"))
    text = rng.choice(
        (
            f"which {noun} {follow} {word} {row[at]}",
            f"what {noun} {follow} {word} {row[at]}",
            f"what {follow} {word} {row[at]}",
            f"the {noun} {word} {row[at]}",
        )
    )
    return Question(text, f"{other[:1].upper()}{other[1:]} comes {word} {row[at]}.", other[:1].upper() + other[1:])


def month_days(rng: Random) -> Question:
    """How many days a month has."""
    at = rng.randrange(12)
    text = rng.choice(
        (
            "how many days does {} have",
            "how many days are in {}",
            "number of days in {}",
            "how long is {}",
            "days in {}",
        )
    ).format(MONTHS[at])
    extra = ", or 29 in a leap year" if at == 1 else ""
    return Question(text, f"{MONTHS[at]} has {MONTH_DAYS[at]} days{extra}.", MONTH_DAYS[at])


def young(rng: Random) -> Question:
    """What the young of an animal is called."""
    animal, child = rng.choice(list(YOUNG.items()))
    text = rng.choice(
        (
            "what is a young {} called",
            "what is a baby {} called",
            "what do you call a young {}",
            "what do you call a baby {}",
            "name of a young {}",
            "what is the young of a {}",
            "how is a young {} called",
            "the baby of a {} is called what",
        )
    ).format(animal)
    return Question(text, f"A young {animal} is called a {child}.", child.capitalize())


def sound(rng: Random) -> Question:
    """The sound of an animal."""
    animal, verb = rng.choice(list(SOUNDS.items()))
    text = rng.choice(
        (
            "what sound does a {} make",
            "which sound does a {} make",
            "what does a {} say",
            "what noise does a {} make",
            "how does a {} sound",
        )
    ).format(animal)
    return Question(text, f"A {animal} {verb}.", verb.capitalize())


def opposite(rng: Random) -> Question:
    """The opposite of a word."""
    one, other = rng.choice(OPPOSITES).split()
    if rng.random() < 0.3 and one not in {"light", "old"} and other not in {"light", "old"}:
        one, other = other, one
    text = rng.choice(
        (
            "what is the opposite of {}",
            "opposite of {}",
            "the opposite of {} is what",
            "what is not {}",
            "name the opposite of {}",
            "give me the opposite of the word {}",
            "antonym of {}",
        )
    ).format(one)
    return Question(text, f"The opposite of {one} is {other}.", other.capitalize())


def colour(rng: Random) -> Question:
    """The colour of a thing."""
    thing, name = rng.choice(list(COLOURS.items()))
    text = rng.choice(
        (
            "what colour is {}",
            "what color is {}",
            "which colour does {} have",
            "the color of {}",
            "what is the colour of {}",
            "what is the color of {}",
        )
    ).format(thing)
    return Question(text, f"{thing[:1].upper()}{thing[1:]} is {name}.", name.capitalize())


MAKERS: tuple[Callable[[Random], Question], ...] = (
    capital,
    capital,
    capital,
    capital,
    capital,
    capital_of_what,
    continent,
    neighbour,
    neighbour,
    month_days,
    young,
    sound,
    opposite,
    opposite,
    colour,
)


def question(rng: Random) -> Question:
    """A question from any of the lists."""
    return rng.choice(MAKERS)(rng)


def relation(rng: Random) -> Exchange:
    """A question from any of the lists, answered with a sentence."""
    asked = question(rng)
    return ask(noisy(rng, sentence(rng, asked.text)), asked.full)
