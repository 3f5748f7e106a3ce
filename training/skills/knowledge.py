"""Questions with fixed answers, read from the text files: identity, Servery, small talk, facts, explanations.

A text file has blocks divided by blank lines: `~` topics, `?` questions, `=` the answer; `|` divides
alternatives.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random

from training.conversation import Exchange, ask
from training.phrasing import TEXT, noisy, sentence, topic_question


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece of knowledge: ways to name it, ways to ask for it, its answer."""

    topics: tuple[str, ...]
    questions: tuple[str, ...]
    answer: str

    def question(self, rng: Random) -> str:
        """One of the many ways to ask."""
        if self.questions and (not self.topics or rng.random() < 0.65):
            return noisy(rng, sentence(rng, rng.choice(self.questions)))
        return noisy(rng, topic_question(rng, rng.choice(self.topics)))

    def exchange(self, rng: Random) -> Exchange:
        """A question with its answer."""
        return ask(self.question(rng), self.answer)


@cache
def entries(name: str) -> tuple[Entry, ...]:
    """The entries of one text file, by its name without suffix."""
    blocks = (TEXT / f"{name}.txt").read_text(encoding="utf-8").strip().split("\n\n")
    return tuple(_entry(block) for block in blocks)


def identity(rng: Random) -> Exchange:
    """A question about the model itself."""
    return rng.choice(entries("identity")).exchange(rng)


def servery(rng: Random) -> Exchange:
    """A question about Servery."""
    return rng.choice(entries("servery")).exchange(rng)


def small_talk(rng: Random) -> Exchange:
    """A greeting, thanks, a mood."""
    return rng.choice(entries("smalltalk")).exchange(rng)


def explanation(rng: Random) -> Exchange:
    """A short explanation of a common thing."""
    return rng.choice(entries("explanations")).exchange(rng)


def fact(rng: Random) -> Exchange:
    """A fact from the closed lists."""
    return rng.choice(entries("facts")).exchange(rng)


def everything_about_servery(rng: Random) -> Exchange:
    """A long answer: many facts about Servery, one paragraph each, always in the same order."""
    questions = (
        "tell me everything about servery",
        "explain servery in detail",
        "write a long text about servery",
        "give me a long description of servery",
        "explain all of servery",
        "write an article about servery",
        "write an essay about servery",
        "describe servery in many words",
        "give me a detailed overview of servery",
    )
    chosen = entries("servery")[:22]
    return ask(noisy(rng, sentence(rng, rng.choice(questions))), "\n\n".join(entry.answer for entry in chosen))


def _entry(block: str) -> Entry:
    parts: dict[str, str] = {}
    for line in block.splitlines():
        parts[line[0]] = line[1:].strip()
    return Entry(_alternatives(parts.get("~", "")), _alternatives(parts.get("?", "")), parts["="])


def _alternatives(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("|") if part.strip())
