"""Long system prompts, as agents have them: pages of rules, with a normal question after them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from training.conversation import Conversation, Exchange, system
from training.skills.handbook import filler
from training.skills.knowledge import entries
from training.skills.noted_facts import facts
from training.skills.personas import NEUTRAL


def long_prompt(rng: Random, other: Callable[[Random], Exchange], sentences: int) -> Conversation:
    """A long system prompt, sometimes with facts hidden in it, then questions."""
    text = filler(rng, sentences)
    if rng.random() < 0.25:
        text += "\n\n" + " ".join(entry.answer for entry in rng.sample(entries("servery"), 3))
    said, asked = facts(rng, rng.choice((0, 1, 1, 2)))
    for statement in said:
        paragraphs = text.split("\n\n")
        paragraphs.insert(rng.randrange(len(paragraphs) + 1), statement)
        text = "\n\n".join(paragraphs)
    text = f"{rng.choice(NEUTRAL)}\n\n{text}" if rng.random() < 0.8 else text
    turns = [other(rng) for _ in range(rng.choice((1, 2, 3)))] + asked
    rng.shuffle(turns)
    return Conversation((system(text), *(message for turn in turns for message in turn)))
