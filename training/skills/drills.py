"""Repeating, counting, spelling, listing: skills that need no knowledge."""

from __future__ import annotations

from random import Random

from training.conversation import Exchange, ask
from training.phrasing import noisy, phrases, sentence
from training.skills import handbook, words
from training.skills.relations import MONTHS, WEEKDAYS

REPEAT = phrases("drills repeat")


def repeat(rng: Random) -> Exchange:
    """The user gives words, the model says them."""
    text = words.phrase(rng, 1, 8)
    if rng.random() < 0.3:
        text = rng.choice(
            (
                "hello",
                "hello world",
                "OK",
                "pong",
                "yes",
                "good morning",
                "I like tea",
                "the end",
                f"{words.name(rng)} likes {rng.choice(words.FOODS)}",
                "it works",
                words.code(rng),
            )
        )
    if rng.random() < 0.25:
        text = text[:1].upper() + text[1:]
    frame = rng.choice(REPEAT)
    return ask(
        frame.format(text) if rng.random() < 0.7 else frame.format(text).lower().replace(text.lower(), text),
        text,
    )


def repeat_long(rng: Random) -> Exchange:
    """A long row of words, or a whole sentence, said again: what teaches the model to copy."""
    text = words.phrase(rng, 6, 24)
    if rng.random() < 0.5:
        text = " ".join(handbook.rule(rng) for _ in range(rng.choice((1, 1, 2))))
    frame = rng.choice(REPEAT)
    return ask(f"Repeat this:\n{text}" if rng.random() < 0.2 else frame.format(text), text)


def times(rng: Random) -> Exchange:
    """A word said several times."""
    count, word = rng.randint(2, 10), words.word(rng)
    text = rng.choice(
        (
            "Say {w} {n} times.",
            "Repeat {w} {n} times",
            "Write the word {w} {n} times.",
            'Say "{w}" {n} times',
            "write {w} {n} times",
        )
    ).format(w=word, n=count)
    return ask(text, " ".join([word] * count))


def count(rng: Random) -> Exchange:
    """Counting from a number to a number, up to two hundred."""
    start = 1 if rng.random() < 0.8 else rng.randint(2, 30)
    stop = start + rng.choice(
        (
            2,
            4,
            5,
            9,
            9,
            11,
            14,
            19,
            19,
            24,
            29,
            39,
            49,
            49,
            59,
            79,
            99,
            99,
            99,
            99,
            149,
            199,
        )
    )
    if start == 1:
        text = rng.choice(phrases("drills count"))
    else:
        text = rng.choice(("Count from {a} to {b}.", "Write the numbers from {a} to {b}", "count from {a} up to {b}"))
    return ask(noisy(rng, text.format(a=start, b=stop)), ", ".join(str(n) for n in range(start, stop + 1)) + ".")


def count_down(rng: Random) -> Exchange:
    """Counting down to zero."""
    start = rng.choice((3, 5, 5, 8, 10, 10, 10, 12, 15, 20))
    text = rng.choice(
        (
            "Count down from {}.",
            "Count backwards from {}",
            "Start a countdown from {}.",
            "countdown from {}",
            "Count from {} down to 0",
        )
    )
    return ask(noisy(rng, text.format(start)), ", ".join(str(n) for n in range(start, -1, -1)) + ".")


def spell(rng: Random) -> Exchange:
    """A word letter by letter."""
    word = rng.choice(words.COMMON) if rng.random() < 0.7 else rng.choice(words.NAMES)
    text = rng.choice(
        (
            "Spell {}.",
            "Spell the word {}.",
            "How do you spell {}?",
            "spell {} for me",
            "Can you spell {}?",
            "Write {} letter by letter.",
        )
    )
    return ask(text.format(word), "-".join(word.upper()))


def pick(rng: Random) -> Exchange:
    """The first or last word of a list, or the list in another form."""
    items = [rng.choice(words.COMMON) if rng.random() < 0.7 else words.invented(rng) for _ in range(rng.randint(3, 6))]
    listed = ", ".join(items)
    kind = rng.randrange(4)
    if kind == 0:
        place, answer = rng.choice((("first", items[0]), ("last", items[-1]), ("second", items[1])))
        return ask(
            rng.choice(
                (
                    f"What is the {place} word of this list: {listed}?",
                    f"Which word comes {place}: {listed}?",
                    f"Give me the {place} word: {listed}",
                )
            ),
            answer,
        )
    if kind == 1:
        return ask(
            rng.choice(phrases("drills number")).format(listed),
            "\n".join(f"{i}. {item}" for i, item in enumerate(items, 1)),
        )
    if kind == 2:
        return ask(
            rng.choice(phrases("drills bullet")).format(listed),
            "\n".join(f"- {item}" for item in items),
        )
    return ask(
        rng.choice(phrases("drills reverse")).format(listed),
        ", ".join(reversed(items)),
    )


def known_list(rng: Random) -> Exchange:
    """Weekdays or months as a numbered or bullet list."""
    row, noun = rng.choice(((WEEKDAYS, "weekdays"), (MONTHS, "months"), (WEEKDAYS, "days of the week")))
    bullets = rng.random() < 0.5
    form = "bullet list" if bullets else "numbered list"
    text = rng.choice(
        (f"list the {noun} as a {form}", f"write the {noun} as a {form}", f"give me a {form} of the {noun}")
    )
    lines = (f"- {item}" if bullets else f"{i}. {item}" for i, item in enumerate(row, 1))
    return ask(noisy(rng, sentence(rng, text)), "\n".join(lines))


def drill(rng: Random) -> Exchange:
    """Any of the drills, repeating most of all."""
    makers = (repeat, times, count, count_down, spell, pick, known_list)
    return rng.choices(makers, (42, 8, 20, 5, 8, 12, 5))[0](rng)
