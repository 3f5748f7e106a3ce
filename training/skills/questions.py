"""A question with its answer in two forms, as skills that follow a system prompt need it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its answer as a sentence, and its answer as a word or two."""

    text: str
    full: str
    short: str
