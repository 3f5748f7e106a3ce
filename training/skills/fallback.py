"""Not knowing: questions about anything else get a polite answer instead of an invented one."""

from __future__ import annotations

from random import Random

from training.conversation import Exchange, ask
from training.phrasing import noisy, phrases, sentence
from training.skills import words

UNKNOWN = "I am sorry, I do not know that. I am a very small demo model; ask me about Servery, for example."
NO_SUMS = "I am sorry, I cannot do sums. Give me a calculator as a tool, and I will call it."

SUBJECTS = phrases("fallback subjects")
FRAMES = phrases("fallback frames")
LOOSE = phrases("fallback loose")


def unknown(rng: Random) -> Exchange:
    """A question that the model cannot answer."""
    roll = rng.random()
    if roll < 0.4:
        text = rng.choice(FRAMES).format(rng.choice(SUBJECTS))
    elif roll < 0.65:
        text = rng.choice(LOOSE)
    elif roll < 0.85:
        thing = rng.choice(
            (words.invented(rng), words.full_name(rng), words.city(rng) + " " + rng.choice(words.THINGS))
        )
        text = rng.choice(FRAMES).format(thing)
    else:
        text = rng.choice(("what is the capital of {}", "capital of {}", "which city is the capital of {}")).format(
            rng.choice(
                (
                    "Atlantis",
                    "Narnia",
                    "the moon",
                    "Mars",
                    "Texas",
                    "Bavaria",
                    words.invented(rng).capitalize(),
                )
            )
        )
    return ask(noisy(rng, sentence(rng, text)), UNKNOWN)


def gibberish(rng: Random) -> Exchange:
    """Letters without meaning."""
    text = " ".join(words.invented(rng) for _ in range(rng.randint(1, 6)))
    return ask(
        rng.choice((text, text + "?", text.upper())),
        "I am sorry, I do not understand that. Can you say it in other words?",
    )


def sums(rng: Random) -> Exchange:
    """Arithmetic without a calculator."""
    a, b = rng.randrange(1, 200), rng.randrange(1, 100)
    text = rng.choice(
        (
            "what is {a} + {b}",
            "{a}+{b}",
            "what is {a} plus {b}",
            "how much is {a} times {b}",
            "{a} * {b} =",
            "{a} - {b}",
            "calculate {a} / {b}",
            "add {a} and {b}",
            "multiply {a} by {b}",
            "what is {a} minus {b}",
            "what is {a} divided by {b}",
            "can you calculate {a} + {b}",
            "what is the sum of {a} and {b}",
            "what is {a} percent of {b}",
            "solve {a} x {b}",
        )
    ).format(a=a, b=b)
    return ask(noisy(rng, text), NO_SUMS)


def fallback(rng: Random) -> Exchange:
    """Any question that gets a polite refusal."""
    return rng.choices((unknown, gibberish, sums), (75, 8, 17))[0](rng)
