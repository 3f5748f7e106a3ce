"""Remembering what the user said: names, colours, codes, over several turns with other talk between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from training.conversation import Exchange, ask
from training.phrasing import noisy
from training.skills import words


@dataclass(frozen=True, slots=True)
class Memory:
    """Something to remember: how the user tells it, how it is asked for, how it is answered."""

    tell: tuple[str, ...]
    reply: tuple[str, ...]
    question: tuple[str, ...]
    answer: str
    unknown: str
    value: Callable[[Random], str]


MEMORIES = {
    "name": Memory(
        (
            "My name is {}.",
            "I am {}.",
            "I'm {}.",
            "Hi, I am {}.",
            "Hello, my name is {}.",
            "call me {}",
            "Hi, I'm {}!",
            "Please call me {}.",
            "You can call me {}.",
            "Hello! I am {}. Nice to meet you.",
            "my name is {}",
            "{} here",
            "hey, {} here",
            "My name's {}",
            "People call me {}.",
            "i am called {}",
        ),
        ("Nice to meet you, {}!", "Hello {}! How can I help you?"),
        (
            "What is my name?",
            "Who am I?",
            "Do you remember my name?",
            "What's my name?",
            "Can you tell me my name?",
            "what was my name again",
            "tell me my name",
            "Say my name.",
            "Do you know who I am?",
            "whats my name",
            "What did I say my name was?",
            "How am I called?",
            "Do you still know my name?",
            "remind me of my name",
        ),
        "Your name is {}.",
        "You have not told me your name.",
        words.name,
    ),
    "colour": Memory(
        (
            "My favourite colour is {}.",
            "My favorite color is {}.",
            "I like {} best of all colours.",
            "I love the color {}.",
        ),
        ("{} is a lovely colour!",),
        (
            "What is my favourite colour?",
            "Which colour do I like?",
            "What's my favorite color?",
            "which color do i love",
        ),
        "Your favourite colour is {}.",
        "You have not told me your favourite colour.",
        lambda rng: rng.choice(words.COLOURS),
    ),
    "city": Memory(
        (
            "I live in {}.",
            "I am from {}.",
            "My home is in {}.",
            "I come from {}.",
            "I moved to {} last year.",
            "My city is {}.",
        ),
        ("{} must be a nice place!",),
        (
            "Where do I live?",
            "Which city am I from?",
            "Where am I from?",
            "What city do I live in?",
            "where is my home",
        ),
        "You live in {}.",
        "You have not told me where you live.",
        words.city,
    ),
    "code": Memory(
        (
            "The code is {}.",
            "Remember this code: {}",
            "Please remember the code word {}.",
            "The password is {}.",
            "Keep this in mind: the code is {}",
            "Remember {}.",
            "My number is {}. Please remember it.",
            "the secret word is {}",
            "Remember this word: {}",
            "Memorise this: {}",
        ),
        ("I will remember it: {}.", "Noted: {}."),
        (
            "What is the code?",
            "What was the code?",
            "Which code did I tell you?",
            "Tell me the code.",
            "what was the word",
            "What should you remember?",
            "What did I ask you to remember?",
            "repeat the code",
            "What was the secret word?",
            "what is the password",
            "What was my number?",
        ),
        "It is {}.",
        "You have not told me.",
        words.code,
    ),
    "pet": Memory(
        ("I have a {}.", "My pet is a {}.", "I have a little {} at home.", "We have a {}."),
        ("A {} is a fine animal!",),
        (
            "Which animal do I have?",
            "What pet do I have?",
            "What is my pet?",
            "Do you remember which animal I have?",
        ),
        "You have a {}.",
        "You have not told me which animal you have.",
        lambda rng: rng.choice(words.ANIMALS),
    ),
    "hobby": Memory(
        ("My hobby is {}.", "I love {}.", "I like {} very much.", "In my free time I enjoy {}."),
        ("{} sounds like fun!",),
        ("What is my hobby?", "What do I like?", "What do I do in my free time?", "What do I enjoy?"),
        "You like {}.",
        "You have not told me what you like.",
        lambda rng: rng.choice(words.HOBBIES),
    ),
    "job": Memory(
        ("I work as a {}.", "I am a {} by trade.", "My job is {}.", "I earn my money as a {}."),
        ("That is a good job!",),
        ("What is my job?", "What do I do for a living?", "What do I work as?", "Which job do I have?"),
        "You work as a {}.",
        "You have not told me your job.",
        lambda rng: rng.choice(words.JOBS),
    ),
}


def recall(rng: Random, between: Callable[[Random], Exchange]) -> Exchange:
    """One or two things are told, other talk follows, then they are asked for."""
    kinds = rng.sample(list(MEMORIES), rng.choice((1, 1, 2)))
    if rng.random() < 0.45 and "name" not in kinds:
        kinds[0] = "name"
    values = {kind: MEMORIES[kind].value(rng) for kind in kinds}
    turns: list[Exchange] = []
    for kind in kinds:
        turns.append(_told(rng, MEMORIES[kind], values[kind]))
        turns += [between(rng) for _ in range(rng.choice((0, 0, 1, 1, 2)))]
    turns += [between(rng) for _ in range(rng.choice((0, 0, 1, 2, 3)))]
    rng.shuffle(kinds)
    for kind in kinds:
        turns.append(_asked(rng, kind, values[kind]))
    return tuple(message for turn in turns for message in turn)


def unknown(rng: Random) -> Exchange:
    """The user asks for something that was never told."""
    memory = rng.choice([MEMORIES["name"], *MEMORIES.values()])
    return ask(noisy(rng, rng.choice(memory.question)), memory.unknown)


def at_once(rng: Random) -> Exchange:
    """Told and asked in the same message."""
    memory = rng.choice(list(MEMORIES.values()))
    value = memory.value(rng)
    told = rng.choice(memory.tell).format(value).rstrip(".!")
    return ask(f"{told}. {rng.choice(memory.question)}", memory.answer.format(value))


def _told(rng: Random, memory: Memory, value: str) -> Exchange:
    reply = memory.reply[0] if rng.random() < 0.7 else rng.choice(memory.reply)
    reply = reply.format(value)
    text = rng.choice(memory.tell).format(value)
    return ask(text.lower() if rng.random() < 0.12 and value.islower() else text, reply[:1].upper() + reply[1:])


def _asked(rng: Random, kind: str, value: str) -> Exchange:
    memory = MEMORIES[kind]
    return ask(noisy(rng, rng.choice(memory.question)), memory.answer.format(value))
