"""Names, places, things: the raw words that other skills fill in, and words that nobody has seen before."""

from __future__ import annotations

from random import Random

from training.phrasing import phrases

NAMES = phrases("words names")
SURNAMES = phrases("words surnames")
CITIES = phrases("words cities")
JOBS = phrases("words jobs")
COLOURS = phrases("words colours")
ANIMALS = phrases("words animals")
FOODS = phrases("words foods")
THINGS = phrases("words things")
HOBBIES = phrases("words hobbies")
LANGUAGES = phrases("words languages")
COMMON = phrases("words common")
_ONSETS = phrases("words onsets")
_VOWELS = phrases("words vowels")
_ENDS = ["", "n", "r", "l", "s", "t", "m", "ck", "nd", "rt", "x", "p", "sh", "ng", "k"]


def invented(rng: Random) -> str:
    """A word that does not exist, such as `brolant`."""
    count = rng.choice((1, 2, 2, 2, 3))
    return "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(count)) + rng.choice(_ENDS)


def name(rng: Random) -> str:
    """A first name, mostly a real one."""
    return rng.choice(NAMES) if rng.random() < 0.7 else invented(rng).capitalize()


def full_name(rng: Random) -> str:
    """A first name with a family name."""
    family = rng.choice(SURNAMES) if rng.random() < 0.7 else invented(rng).capitalize()
    return f"{name(rng)} {family}"


def city(rng: Random) -> str:
    """A city, mostly a real one."""
    return rng.choice(CITIES) if rng.random() < 0.75 else invented(rng).capitalize()


def word(rng: Random) -> str:
    """Any word: common, invented, or a number."""
    roll = rng.random()
    if roll < 0.6:
        return rng.choice(COMMON)
    if roll < 0.9:
        return invented(rng)
    return str(rng.randrange(10, 1000))


def phrase(rng: Random, low: int, high: int) -> str:
    """Some words in a row."""
    return " ".join(word(rng) for _ in range(rng.randint(low, high)))


def code(rng: Random) -> str:
    """A code word such as `tiger-42` or `K7-Q2`."""
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    shapes = (
        f"{rng.choice(COMMON)}-{rng.randrange(10, 100)}",
        f"{rng.choice(letters)}{rng.randrange(10)}-{rng.choice(letters)}{rng.randrange(10)}",
        f"{rng.choice(COLOURS)} {rng.choice(COMMON)}",
        str(rng.randrange(1000, 10000)),
        invented(rng),
    )
    return rng.choice(shapes)
