"""The many ways people put a question: frames around a topic, and the noise of real typing."""

from __future__ import annotations

from random import Random

TOPIC_FRAMES = (
    "What is {}?", "What are {}?", "Tell me about {}.", "Explain {}.", "How does {} work?", "How do {} work?",
    "Can you explain {}?", "What do you know about {}?", "Please tell me about {}.", "I want to know more about {}.",
    "Describe {}.", "What about {}?", "{}?", "{}", "What does {} mean?", "Could you tell me something about {}?",
    "Give me a short explanation of {}.", "Explain {} to me in simple words.", "I do not understand {}.",
    "Help me understand {}.", "Say something about {}.", "What can you tell me about {}?", "Who can explain {} to me?",
    "I have a question about {}.", "Explain in one sentence: {}", "In short, what is {}?", "Information about {}",
    "Write a short text about {}.", "How would you describe {}?", "Tell me what {} is.", "Teach me about {}.",
    "Explain {} to a child.", "I am curious about {}.", "Do you know {}?", "Define {}.", "Write two sentences about {}.",
)

OPENERS = (
    "hey, ", "hi, ", "hello, ", "hello! ", "please: ", "ok, ", "ok so ", "so, ", "and ", "quick question: ", "question: ",
    "well, ", "now ", "next question: ", "one more thing: ", "can you tell me, ", "tell me, ", "i wonder, ", "just asking, ",
    "please tell me: ", "do you know, ", "i would like to know: ", "sorry, but ", "excuse me, ", "for a friend: ",
    "hi there! ", "could you say, ", "my question is: ", "um, ", "also, ", "hmm, ", "i want to know: ",
)
CLOSERS = (
    " please", " thanks", ", please", " thank you", " please answer briefly", " in short", " exactly", " again",
    ", do you know", ", any idea", " for me", " now", " today", " here", " then", " really", " in servery", " tell me",
    ", can you help", " i am new here", " i forgot", " i need this for work", " in simple words",
)


def topic_question(rng: Random, topic: str) -> str:
    """A question about a topic, in one of many frames."""
    return rng.choice(TOPIC_FRAMES).format(topic)


def sentence(rng: Random, question: str) -> str:
    """A lowercase question written properly, with a capital letter and a mark at its end."""
    text = question[:1].upper() + question[1:]
    text = text.replace(" i ", " I ").replace(" servery", " Servery")
    if text[-1:] not in ".?!:":
        text += rng.choice(("?", "?", "?", ".")) if _is_question(question) else rng.choice((".", ".", "!", ""))
    return text


def noisy(rng: Random, text: str) -> str:
    """The text as somebody may type it: as is, lowercase, without marks, with words around it, with a slip."""
    if rng.random() < 0.22:
        text = rng.choice(OPENERS) + text[:1].lower() + text[1:]
        if rng.random() < 0.6:
            text = text[:1].upper() + text[1:]
    if rng.random() < 0.12:
        mark = text[-1:] if text[-1:] in ".?!" else ""
        text = text.rstrip(".?!") + rng.choice(CLOSERS) + mark
    if rng.random() < 0.3:
        text = text.lower()
    if rng.random() < 0.3:
        text = text.rstrip(".?!")
    if rng.random() < 0.08:
        text = slip(rng, text)
    if rng.random() < 0.015:
        text = text.upper()
    return text


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


def _is_question(text: str) -> bool:
    first = text.split(" ", 1)[0].lower()
    return first in {
        "what", "who", "how", "why", "where", "when", "which", "are", "is", "do", "does", "can", "may", "should",
        "did", "were", "was", "will", "could", "am", "whats", "at", "in",
    }
