"""The handbook of an invented company: rules and notes, for long system prompts and for repeating."""

from __future__ import annotations

from random import Random

from training.phrasing import phrases
from training.skills import words

RULES = phrases("handbook rules")
TOPICS = phrases("handbook topics")
WHO = phrases("handbook who")
HEADS = (
    "Rules",
    "Guidelines",
    "Handbook",
    "Instructions",
    "Policy",
    "Background",
    "Notes",
    "Products",
    "People",
    "Style",
)


def filler(rng: Random, sentences: int) -> str:
    """Some paragraphs of rules and notes of an invented company."""
    paragraphs: list[str] = []
    left = sentences
    while left > 0:
        count = min(left, rng.randint(3, 8))
        left -= count
        lines = [rule(rng) for _ in range(count)]
        if rng.random() < 0.4:
            lines = [f"- {line}" for line in lines]
            paragraphs.append(f"## {rng.choice(HEADS)}\n" + "\n".join(lines))
        else:
            paragraphs.append(" ".join(lines))
    return "\n\n".join(paragraphs)


def rule(rng: Random) -> str:
    """One rule or note, such as a handbook has."""
    first, second = rng.sample(words.COLOURS, 2)
    return rng.choice(RULES).format(
        who=rng.choice(WHO),
        who2=rng.choice(WHO),
        thing=rng.choice(words.THINGS),
        topic=rng.choice(TOPICS),
        n=rng.randrange(2, 99),
        colour=first,
        colour2=second,
        city=words.city(rng),
        name=words.name(rng),
        name2=words.name(rng),
        word=rng.choice(words.COMMON),
        day=rng.choice(
            (
                "Monday",
                "Tuesday",
                "Friday",
                "Sunday",
            )
        ),
    )
