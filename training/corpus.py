"""The mix of skills: writes the conversations and texts the model is trained on, one JSON object a line.

python -m training.corpus --rows 60000 --seed 1 --out corpus.jsonl
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from training import heldout, pythondocs
from training.conversation import Conversation, Exchange
from training.skills import (
    drills,
    extraction,
    fallback,
    knowledge,
    longprompts,
    personas,
    recall,
    relations,
    stories,
    tools,
)

DOCS_SHARE = 0.10
DOC_CHARS = 600

Skill = Callable[[Random], Exchange]
Mix = tuple[tuple[int, Skill], ...]

SINGLE: Mix = (
    (30, knowledge.servery),
    (10, knowledge.identity),
    (8, knowledge.small_talk),
    (11, knowledge.explanation),
    (8, knowledge.fact),
    (16, relations.relation),
    (10, drills.drill),
    (5, stories.story),
    (1, stories.poem),
    (14, fallback.fallback),
    (2, recall.unknown),
    (2, recall.at_once),
    (3, extraction.composed),
    (2, extraction.reading),
)
SHORT: Mix = (
    (4, knowledge.servery),
    (2, knowledge.identity),
    (3, knowledge.small_talk),
    (2, knowledge.explanation),
    (2, knowledge.fact),
    (4, relations.relation),
    (1, drills.repeat),
    (3, fallback.fallback),
)


def single(rng: Random) -> Exchange:
    """One exchange of any skill that needs no system prompt."""
    return _chosen(rng, SINGLE)(rng)


def short(rng: Random) -> Exchange:
    """One short exchange, as it may stand between others."""
    return _chosen(rng, SHORT)(rng)


def chat(rng: Random) -> Conversation:
    """One to five unrelated exchanges."""
    turns = [single(rng) for _ in range(rng.choice((1, 1, 1, 1, 2, 2, 3, 5)))]
    return Conversation(tuple(message for turn in turns for message in turn))


def remembered(rng: Random) -> Conversation:
    """Something told and asked for later."""
    return Conversation(recall.recall(rng, short))


def long_answer(rng: Random) -> Conversation:
    """An answer of several hundred tokens."""
    make = knowledge.everything_about_servery if rng.random() < 0.15 else stories.long_story
    return Conversation(make(rng))


def long_prompt(rng: Random) -> Conversation:
    """A system prompt of a hundred to some two thousand tokens."""
    sentences = rng.randint(60, 160) if rng.random() < 0.12 else rng.randint(5, 28)
    return longprompts.long_prompt(rng, short, sentences)


CONVERSATIONS: tuple[tuple[float, Callable[[Random], Conversation]], ...] = (
    (50, chat),
    (8, remembered),
    (3.5, lambda rng: Conversation(drills.repeat_long(rng))),
    (1.3, long_answer),
    (1.6, long_prompt),
    (8, extraction.extraction),
    (13, lambda rng: tools.tool_use(rng, short)),
    (1.5, lambda rng: tools.declared_only(rng, short)),
    (14, lambda rng: personas.following(rng, short)),
)


def rows(count: int, seed: int) -> Iterator[str]:
    """The texts of the corpus: conversations, some plain stories, a tenth of Python documentation."""
    rng = Random(seed)
    banned = {heldout.normal(question) for question in heldout.questions()}
    documents = [piece for text in pythondocs.texts() for piece in _pieces(text)]
    makers = [make for _, make in CONVERSATIONS]
    weights = [weight for weight, _ in CONVERSATIONS]
    written = 0
    while written < count:
        roll = rng.random()
        if roll < DOCS_SHARE:
            yield rng.choice(documents)
        elif roll < DOCS_SHARE + 0.005:
            yield stories.plain_text(rng)
        else:
            conversation = rng.choices(makers, weights)[0](rng)
            if any(heldout.normal(message.content) in banned for message in conversation.messages):
                continue
            yield conversation.render()
        written += 1


def _chosen(rng: Random, mix: tuple[tuple[int, Callable[[Random], Exchange]], ...]) -> Callable[[Random], Exchange]:
    return rng.choices([make for _, make in mix], [weight for weight, _ in mix])[0]


def _pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), DOC_CHARS):
        yield text[start : start + DOC_CHARS]


def main() -> None:
    """Write the corpus."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    with options.out.open("w", encoding="utf-8") as file:
        for text in rows(options.rows, options.seed):
            file.write(json.dumps(text, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
