"""The many ways people put a question: frames around a topic, and the noise of real typing."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from random import Random

TEXT = Path(__file__).with_name("text")

WORD_ASKED = ("opposite", "antonym", "what is not", "What is not")
"""Where a question asks about a word itself, the word must stay."""

OPENERS = (
    "hey, ",
    "hi, ",
    "hello, ",
    "hello! ",
    "please: ",
    "ok, ",
    "ok so ",
    "so, ",
    "and ",
    "quick question: ",
    "question: ",
    "well, ",
    "now ",
    "next question: ",
    "one more thing: ",
    "can you tell me, ",
    "tell me, ",
    "i wonder, ",
    "just asking, ",
    "please tell me: ",
    "do you know, ",
    "i would like to know: ",
    "sorry, but ",
    "excuse me, ",
    "for a friend: ",
    "hi there! ",
    "could you say, ",
    "my question is: ",
    "um, ",
    "also, ",
    "hmm, ",
    "i want to know: ",
)
CLOSERS = (
    " please",
    " thanks",
    ", please",
    " thank you",
    " please answer briefly",
    " in short",
    " exactly",
    " again",
    ", do you know",
    ", any idea",
    " for me",
    " now",
    " today",
    " here",
    " then",
    " really",
    " in servery",
    " tell me",
    ", can you help",
    " i am new here",
    " i forgot",
    " i need this for work",
    " in simple words",
)


@cache
def phrases(key: str) -> tuple[str, ...]:
    """A list of words or phrases from the text file of phrases, by its key."""
    for line in (TEXT / "phrases.txt").read_text(encoding="utf-8").splitlines():
        name, _, rest = line.partition(" = ")
        if name == key:
            return tuple(rest.split(" | "))
    raise KeyError(key)


def topic_question(rng: Random, topic: str) -> str:
    """A question about a topic, in one of many frames."""
    return rng.choice(phrases("phrasing topic frames")).format(topic)


def sentence(rng: Random, question: str) -> str:
    """A lowercase question written properly, with a capital letter and a mark at its end."""
    text = question[:1].upper() + question[1:]
    text = text.replace(" i ", " I ").replace(" servery", " Servery")
    if text[-1:] not in ".?!:":
        text += (
            rng.choice(
                (
                    "?",
                    "?",
                    "?",
                    ".",
                )
            )
            if _is_question(question)
            else rng.choice(
                (
                    ".",
                    ".",
                    "!",
                    "",
                )
            )
        )
    return text


def noisy(rng: Random, text: str) -> str:
    """The text as somebody may type it: other words, lowercase, no marks, words around it, a slip."""
    if rng.random() < 0.45 and not any(word in text for word in WORD_ASKED):
        text = reworded(rng, text)
    text = _surrounded(rng, text)
    if rng.random() < 0.3:
        text = text.lower()
    if rng.random() < 0.3:
        text = text.rstrip(".?!")
    if rng.random() < 0.08:
        text = slip(rng, text)
    return text.upper() if rng.random() < 0.015 else text


def reworded(rng: Random, text: str) -> str:
    """The text with some of its words exchanged for others of about the same meaning."""
    pattern, others = _synonyms()

    def other(match: re.Match[str]) -> str:
        if rng.random() < 0.5:
            return match[0]
        word = rng.choice(others[match[0].lower()])
        return word[:1].upper() + word[1:] if match[0][:1].isupper() else word

    return pattern.sub(other, text)


def slip(rng: Random, text: str) -> str:
    """The text with one typing mistake: a letter lost, doubled or swapped, or an article left out."""
    for article in (" the ", " a "):
        if article in text and rng.random() < 0.4:
            return text.replace(article, " ", 1)
    if len(text) < 6:
        return text
    at = rng.randrange(1, len(text) - 2)
    left, here, right, rest = text[:at], text[at], text[at + 1], text[at + 2 :]
    return rng.choice((left + right + rest, left + here + here + right + rest, left + right + here + rest))


def _surrounded(rng: Random, text: str) -> str:
    """The text with a word before or after it, or a whole sentence."""
    if rng.random() < 0.22:
        text = rng.choice(OPENERS) + text[:1].lower() + text[1:]
        if rng.random() < 0.6:
            text = text[:1].upper() + text[1:]
    if rng.random() < 0.12:
        mark = text[-1:] if text[-1:] in ".?!" else ""
        text = text.rstrip(".?!") + rng.choice(CLOSERS) + mark
    roll = rng.random()
    if roll < 0.06:
        return f"{rng.choice(_preambles())} {text}"
    if roll < 0.09:
        return f"{text.rstrip('.?! ')}? {rng.choice(_preambles())}"
    return text


def _is_question(text: str) -> bool:
    first = text.split(" ", 1)[0].lower()
    return first in {
        "what",
        "who",
        "how",
        "why",
        "where",
        "when",
        "which",
        "are",
        "is",
        "do",
        "does",
        "can",
        "may",
        "should",
        "did",
        "were",
        "was",
        "will",
        "could",
        "am",
        "whats",
        "at",
        "in",
    }


@cache
def _preambles() -> tuple[str, ...]:
    return tuple((TEXT / "preambles.txt").read_text(encoding="utf-8").splitlines())


@cache
def _synonyms() -> tuple[re.Pattern[str], dict[str, list[str]]]:
    """A pattern of all words that have others, and the others; longer phrases match first."""
    others: dict[str, list[str]] = {}
    for line in (TEXT / "synonyms.txt").read_text(encoding="utf-8").splitlines():
        word, _, rest = line.partition(" = ")
        others[word] = rest.split(" | ")
    longest = sorted(others, key=len, reverse=True)
    return re.compile(rf"\b({'|'.join(map(re.escape, longest))})\b", re.IGNORECASE), others
