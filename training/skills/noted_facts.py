"""Facts that a system prompt states, with the questions they answer."""

from __future__ import annotations

from random import Random

from training.conversation import Exchange, assistant, user
from training.phrasing import noisy
from training.skills import words

FACTS = (
    (
        "We are open from {t1} to {t2}.",
        ("When are you open?", "What are your opening hours?", "when do you open"),
        "We are open from {t1} to {t2}.",
    ),
    (
        "Our phone number is {code}.",
        ("What is your phone number?", "How can I call you?", "phone number please"),
        "Our phone number is {code}.",
    ),
    (
        "The shop is in {city}.",
        ("Where is the shop?", "In which city are you?", "Where can I find you?"),
        "The shop is in {city}.",
    ),
    (
        "The price of a {thing} is {n} euros.",
        ("How much is a {thing}?", "What does a {thing} cost?", "price of a {thing}"),
        "A {thing} costs {n} euros.",
    ),
    (
        "The manager is {name}.",
        ("Who is the manager?", "Who is in charge?", "manager name please"),
        "The manager is {name}.",
    ),
    (
        "The secret word is {word}.",
        ("What is the secret word?", "Tell me the secret word.", "secret word?"),
        "The secret word is {word}.",
    ),
    (
        "Delivery takes {n} days.",
        ("How long does delivery take?", "When will it arrive?", "delivery time"),
        "Delivery takes {n} days.",
    ),
    (
        "The user's name is {name}.",
        ("What is my name?", "Who am I?", "Do you know my name?"),
        "Your name is {name}.",
    ),
    (
        "The wifi password is {code}.",
        ("What is the wifi password?", "How do I get into the wifi?", "wifi password"),
        "The wifi password is {code}.",
    ),
    (
        "Today is {day}.",
        ("What day is it today?", "Which day is today?", "what day is today"),
        "Today is {day}.",
    ),
)


def facts(rng: Random, count: int) -> tuple[list[str], list[Exchange]]:
    """Statements for a system prompt, and for each a question with its answer."""
    said: list[str] = []
    asked: list[Exchange] = []
    for statement, questions, answer in rng.sample(FACTS, count):
        found = {
            "t1": rng.randrange(6, 11),
            "t2": rng.randrange(16, 23),
            "code": words.code(rng),
            "city": words.city(rng),
            "thing": rng.choice(words.THINGS),
            "n": rng.randrange(2, 90),
            "name": words.name(rng),
            "word": words.word(rng),
            "day": rng.choice(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")),
        }
        said.append(statement.format(**found))
        asked.append((user(noisy(rng, rng.choice(questions).format(**found))), assistant(answer.format(**found))))
    return said, asked
