"""One exam per skill: conversations cut before their last answer, and whether a reply is right.

Values (names, cities, codes, words, tool and parameter names) are fresh; the phrasings are those of the
corpus. The exams named `free ...` use phrasings that are not in the corpus.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from training import corpus, heldout
from training.conversation import Conversation, Exchange, Message, system, user
from training.skills import (
    drills,
    extraction,
    fallback,
    handbook,
    knowledge,
    personas,
    recall,
    relations,
    stories,
    tools,
)

Reply = dict[str, Any]
Check = Callable[[Reply], bool]


@dataclass(frozen=True, slots=True)
class Case:
    """A prompt, the check of its reply, and options of the request."""

    prompt: Conversation
    check: Check
    options: Reply = field(default_factory=dict)


def exact(conversation: Conversation) -> Case:
    """The reply must be the last message, word for word; a tool call, the same name and arguments."""
    last = conversation.messages[-1]
    prompt = Conversation(conversation.messages[:-1], conversation.tools)
    if last.tool_calls:
        return Case(prompt, lambda reply: calls(reply) == [(c.name, c.arguments) for c in last.tool_calls])
    return Case(prompt, lambda reply: (reply.get("content") or "").strip() == last.content.strip())


def calls(reply: Reply) -> list[tuple[str, object]]:
    """The tool calls of a reply as names with parsed arguments."""
    found = []
    for call in reply.get("tool_calls") or []:
        try:
            found.append((call["function"]["name"], json.loads(call["function"]["arguments"])))
        except ValueError:
            found.append((call["function"]["name"], None))
    return found


def contains(prompt: Conversation, *words: str) -> Case:
    """The reply must contain one of the words, in any case."""
    return Case(prompt, lambda reply: any(w.lower() in (reply.get("content") or "").lower() for w in words))


def structured(rng: Random) -> Case:
    """An extraction under a JSON schema that the server enforces."""
    conversation = extraction.extraction(rng)
    wanted = json.loads(conversation.messages[-1].content)
    shape = {
        "type": "json_schema",
        "json_schema": {"name": "record", "schema": extraction.schema(wanted), "strict": True},
    }
    return Case(
        Conversation(conversation.messages[:-1]),
        lambda reply: parsed(reply) == wanted,
        {"response_format": shape},
    )


def parsed(reply: Reply) -> object:
    """The reply's content as JSON, or nothing."""
    try:
        return json.loads(reply.get("content") or "")
    except ValueError:
        return None


def story(rng: Random) -> Case:
    """A story that has the animal that was asked for, and ends by itself."""
    conversation = Conversation(stories.story(rng))
    animal = next((a for a in stories.words.ANIMALS if f" {a}" in conversation.messages[0].content.lower()), "once")
    return contains(Conversation(conversation.messages[:-1]), animal)


def long_story(rng: Random) -> Case:
    """A story of at least 400 tokens that reaches its end."""
    prompt = Conversation(stories.long_story(rng)[:1])
    return Case(prompt, lambda reply: len(reply.get("content") or "") > 1400 and reply["content"].endswith("The end."))


def under_long_prompt(rng: Random) -> Case:
    """A question about Servery after a system prompt of one to two thousand tokens."""
    head = system(handbook.filler(rng, rng.randint(60, 120)))
    return exact(Conversation((head, *knowledge.servery(rng))))


def between(rng: Random) -> Case:
    """A name told early, two to four other exchanges, then the question for it."""
    memory = recall.MEMORIES["name"]
    value = memory.value(rng)
    told: Exchange = (user(memory.tell[0].format(value)), Message("assistant", memory.reply[0].format(value)))
    others = [corpus.short(rng) for _ in range(rng.randint(2, 4))]
    asked = (user(memory.question[0]), Message("assistant", memory.answer.format(value)))
    return exact(Conversation((*told, *(m for turn in others for m in turn), *asked)))


def wrapped(make: Callable[[Random], Exchange]) -> Callable[[Random], Case]:
    """An exam of exact answers from a skill."""
    return lambda rng: exact(Conversation(make(rng)))


def called(rng: Random) -> Case:
    """A tool call: cut right before the first one."""
    while True:
        conversation = tools.tool_use(rng, corpus.short)
        for at, message in enumerate(conversation.messages):
            if message.tool_calls:
                return exact(Conversation(conversation.messages[: at + 1], conversation.tools))


def from_result(rng: Random) -> Case:
    """The answer that follows a tool's result."""
    while True:
        conversation = tools.tool_use(rng, corpus.short)
        for at, message in enumerate(conversation.messages):
            if message.role == "tool":
                return exact(Conversation(conversation.messages[: at + 2], conversation.tools))


EXAMS: dict[str, Callable[[Random], Case]] = {
    "identity": wrapped(knowledge.identity),
    "questions about Servery": wrapped(knowledge.servery),
    "small talk": wrapped(knowledge.small_talk),
    "facts from lists": wrapped(knowledge.fact),
    "capitals": lambda rng: _relation(rng, relations.capital),
    "other pairs (opposites, neighbours, ...)": wrapped(relations.relation),
    "short explanations": wrapped(knowledge.explanation),
    "repeat words, also invented ones": wrapped(drills.repeat),
    "count": wrapped(drills.count),
    "recall at once or after other talk": lambda rng: exact(corpus.remembered(rng)),
    "recall a name after 2-4 other turns": between,
    "says when it was not told": wrapped(recall.unknown),
    "JSON extraction": lambda rng: exact(extraction.extraction(rng)),
    "JSON extraction with json_schema": structured,
    "tool call: name and arguments": called,
    "answer from a tool's result": from_result,
    "no tool when none is needed": lambda rng: exact(tools.declared_only(rng, corpus.short)),
    "system prompt: persona": lambda rng: exact(personas.persona(rng)),
    "system prompt: form of the answer": lambda rng: exact(personas.form(rng)),
    "system prompt: phrase to add": lambda rng: exact(personas.phrase(rng)),
    "system prompt: facts to use": lambda rng: exact(personas.rule(rng)),
    "Servery question under a long system prompt": under_long_prompt,
    "short story about a given animal": story,
    "long story (400+ tokens, with an end)": long_story,
    "polite fallback": wrapped(fallback.fallback),
}


def cases(name: str, count: int) -> Iterator[Case]:
    """Some cases of an exam; the seed is not one of the corpus."""
    rng = Random(f"exam {name}")
    for _ in range(count):
        yield EXAMS[name](rng)


def free() -> Iterator[tuple[str, Case]]:
    """The free questions with their checks."""
    for question, words in heldout.FREE:
        yield question, contains(Conversation((user(question),)), *words)


def free_tasks() -> Iterator[tuple[str, Case]]:
    """Hand-written tasks for tools, JSON, recall and system prompts, in phrasings that the corpus lacks."""
    for task in heldout.TASKS:
        messages = tuple(Message(role, content) for role, content in task.messages)
        prompt = Conversation(messages, task.tools)
        if task.call is not None:
            yield task.label, Case(prompt, lambda reply, wanted=task.call: calls(reply) == [wanted])
        elif task.json is not None:
            yield (
                task.label,
                Case(prompt, lambda reply, wanted=task.json: parsed(reply) == wanted, task.options),
            )
        else:
            yield task.label, contains(prompt, *task.words)


def _relation(rng: Random, make: Callable[[Random], relations.Question]) -> Case:
    asked = make(rng)
    return contains(Conversation((user(relations.noisy(rng, relations.sentence(rng, asked.text))),)), asked.short)
