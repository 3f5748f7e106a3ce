"""Following a system prompt: a persona, a form of answer, a phrase to add, facts to use, a rule to keep."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from training.conversation import Conversation, Exchange, assistant, system, to_json, user
from training.phrasing import noisy, phrases, sentence
from training.skills import words
from training.skills.drills import repeat
from training.skills.noted_facts import facts
from training.skills.questions import Question
from training.skills.relations import question

NEUTRAL = phrases("personas neutral")
ROLES = phrases("personas roles")
WHO = phrases("personas who")
ONE_WORD = (
    "Answer in one word.",
    "Answer with one word only.",
    "Reply with a single word.",
    "One-word answers only.",
    "Answer every question with one word.",
    "Use only one word.",
    "Give only the answer, no sentence.",
    "Be as short as possible: one word.",
    "Always answer in one word.",
    "Respond with just one word.",
)
CAPITALS = (
    "Always answer in capital letters.",
    "Answer in capital letters.",
    "Write everything in capitals.",
    "Use only uppercase letters.",
    "ANSWER IN CAPITAL LETTERS.",
    "Reply in upper case.",
    "Shout: use capital letters.",
    "You always write in uppercase.",
    "Answer in all caps.",
)
LOWER = (
    "Answer in lowercase.",
    "Use only small letters.",
    "Write everything in lower case.",
    "Never use capital letters.",
)
AS_JSON = (
    'Answer as JSON: {"answer": ...}',
    'Reply with a JSON object with the key "answer".',
    'Always answer with JSON like {"answer": "text"}.',
    "Respond in JSON with one field, answer.",
)
BEGIN = (
    'Begin every answer with "{}".',
    'Start each answer with "{}".',
    'Always begin with "{}".',
    'Begin with "{}"',
    'Start your reply with the words "{}".',
    "Begin every answer with {}",
)
END = (
    'End every answer with "{}".',
    'Finish each answer with "{}".',
    'Always end with "{}".',
    'End with "{}"',
    'Close your reply with the words "{}".',
    "End every answer with {}",
)
PHRASES = phrases("personas phrases")
ALWAYS = (
    'Always answer "{}".',
    'Whatever the user says, answer "{}".',
    'Answer every question with "{}".',
    "Only ever say: {}",
    'You can only say "{}".',
    'Reply "{}" to everything.',
)


def following(rng: Random, other: Callable[[Random], Exchange]) -> Conversation:
    """A conversation that obeys its system prompt."""
    makers = (persona, form, phrase, always, rule)
    roll = rng.random()
    if roll < 0.2:
        return Conversation((system(rng.choice(NEUTRAL)), *other(rng)))
    return rng.choices(makers, (26, 36, 20, 6, 12))[0](rng)


def persona(rng: Random) -> Conversation:
    """A name and a role; asked who it is, the model says so."""
    name, role = words.name(rng), rng.choice(ROLES)
    if rng.random() < 0.25:
        role = f"{rng.choice(('friendly', 'old', 'brave', 'kind', 'clever', 'funny'))} {role}"
    article = "an" if role[0] in "aeiou" else "a"
    text = rng.choice(phrases("personas be")).format(n=name, r=role, a=article)
    if rng.random() < 0.15:
        company = words.invented(rng).capitalize()
        text, answer = (
            f"You are {name}, the assistant of {company}.",
            f"I am {name}, the assistant of {company}.",
        )
    elif rng.random() < 0.2:
        text, answer = (
            rng.choice(("Your name is {}.", "You are {}.", "You are called {}.")).format(name),
            f"I am {name}.",
        )
    else:
        answer = f"I am {name}, {article} {role}."
    turns: list[Exchange] = [(user(noisy(rng, rng.choice(WHO))), assistant(answer))]
    if rng.random() < 0.35:
        hello = rng.choice(("Hello!", "hi", "Good morning", "hey", "Hi there!"))
        turns.insert(0, (user(hello), assistant(f"Hello! I am {name}. How can I help you?")))
    if rng.random() < 0.3:
        asked = question(rng)
        turns.insert(
            rng.randrange(len(turns) + 1),
            (user(noisy(rng, sentence(rng, asked.text))), assistant(asked.full)),
        )
    return Conversation((system(text), *(m for turn in turns for m in turn)))


def form(rng: Random) -> Conversation:
    """One word, capitals, lowercase or a JSON object, for one to three questions."""
    instruction, shape = rng.choice(
        (
            (ONE_WORD, _short),
            (ONE_WORD, _short),
            (CAPITALS, _upper),
            (CAPITALS, _upper),
            (LOWER, _lower),
            (AS_JSON, _json),
        )
    )
    prompt = rng.choice(instruction)
    in_user = rng.random() < 0.3
    messages = [] if in_user else [system(_with_neutral(rng, prompt))]
    for _ in range(1 if in_user else rng.choice((1, 1, 2, 3))):
        asked = _question_or_greeting(rng)
        text = noisy(rng, sentence(rng, asked.text))
        if in_user:
            text = f"{text.rstrip('.?! ')}? {prompt}"
        messages += [user(text), assistant(shape(asked))]
    return Conversation(tuple(messages))


def phrase(rng: Random) -> Conversation:
    """A phrase at the start or the end of each answer."""
    said = rng.choice(PHRASES) if rng.random() < 0.6 else words.phrase(rng, 1, 3).capitalize() + rng.choice(("!", "."))
    first = rng.random() < 0.6
    messages = [system(_with_neutral(rng, rng.choice(BEGIN if first else END).format(said)))]
    for _ in range(rng.choice((1, 1, 2))):
        asked = _question_or_greeting(rng)
        answer = f"{said} {asked.full}" if first else f"{asked.full} {said}"
        messages += [user(noisy(rng, sentence(rng, asked.text))), assistant(answer)]
    return Conversation(tuple(messages))


def always(rng: Random) -> Conversation:
    """The same answer to everything."""
    said = (
        words.phrase(rng, 1, 4)
        if rng.random() < 0.6
        else rng.choice(
            (
                "I am Groot",
                "No comment.",
                "Moo",
                "OK",
                "yes",
                "42",
            )
        )
    )
    messages = [system(rng.choice(ALWAYS).format(said))]
    for _ in range(rng.choice((1, 2))):
        text = repeat(rng)[0].content if rng.random() < 0.3 else sentence(rng, question(rng).text)
        messages += [user(text), assistant(said)]
    return Conversation(tuple(messages))


def rule(rng: Random) -> Conversation:
    """Facts in the system prompt, asked for by the user."""
    said, asked = facts(rng, rng.choice((1, 2, 3)))
    rng.shuffle(asked)
    prompt = " ".join([rng.choice((*NEUTRAL, "You work in a shop.", "You are the assistant of a shop.")), *said])
    turns = asked[: rng.choice((1, 1, 2))]
    return Conversation((system(prompt), *(m for turn in turns for m in turn)))


def _question_or_greeting(rng: Random) -> Question:
    if rng.random() < 0.1:
        return Question(
            rng.choice(
                (
                    "hello",
                    "hi",
                    "hello there",
                    "good morning",
                )
            ),
            "Hello! How can I help you?",
            "Hello!",
        )
    if rng.random() < 0.1:
        return Question(rng.choice(("who are you", "what are you")), "I am the Servery demo model.", "Servery")
    return question(rng)


def _with_neutral(rng: Random, prompt: str) -> str:
    roll = rng.random()
    if roll < 0.6:
        return prompt
    return f"{rng.choice(NEUTRAL)} {prompt}" if roll < 0.85 else f"{prompt} {rng.choice(NEUTRAL)}"


def _short(asked: Question) -> str:
    return asked.short


def _upper(asked: Question) -> str:
    return asked.full.upper()


def _lower(asked: Question) -> str:
    return asked.full.lower()


def _json(asked: Question) -> str:
    return to_json({"answer": asked.short})
