"""Scores a GGUF through the engine's HTTP server: each skill, the held-out questions and tasks, the speed.

python -m training.evaluate --model servery-demo.gguf
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from training import exams
from training.conversation import Conversation, system, user
from training.engine import Engine
from training.exams import Case


def scores(engine: Engine, count: int) -> Iterator[tuple[str, int]]:
    """For each exam the number of cases that passed."""
    for name in exams.EXAMS:
        passed = sum(_passes(engine, case) for case in exams.cases(name, count))
        yield name, passed


def speed(engine: Engine) -> list[float]:
    """Generated tokens per second of one stream at one thread, as the engine counts them, three times."""
    prompt = Conversation((user("Tell me a long story."),))
    found = []
    for seed in range(3):
        timings = engine.chat(prompt, temperature=0.2, seed=seed, ignore_eos=True, max_tokens=600)["timings"]
        found.append(round(timings["predicted_per_second"]))
    return found


def cached_tokens(engine: Engine) -> tuple[int, int]:
    """Prompt tokens and cached ones, of a long prompt sent a second time."""
    text = " ".join(f"Rule {number}: be polite to customer {number}." for number in range(100))
    prompt = Conversation((system(text), user("What is prompt caching?")))
    engine.chat(prompt)
    usage = engine.chat(prompt)["usage"]
    return usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"]


def _passes(engine: Engine, case: Case) -> bool:
    return case.check(engine.answer(case.prompt, **case.options))


def _print_free(engine: Engine, title: str, cases: Iterator[tuple[str, Case]], *, answers: bool) -> None:
    lines = []
    passed = total = 0
    for label, case in cases:
        reply = engine.answer(case.prompt, **case.options)
        right = case.check(reply)
        passed, total = passed + right, total + 1
        said = reply.get("content") or str(exams.calls(reply))
        lines.append(f"  [{'x' if right else ' '}] {label}\n      {said[:160]!r}")
    print(f"| {title} | {passed} of {total} |")
    if answers:
        print("\n".join(lines))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--count", type=int, default=40, help="cases of each skill")
    parser.add_argument("--answers", action="store_true", help="show the answers to the held-out questions")
    options = parser.parse_args()
    engine = Engine(options.model)
    print(f"| skill (greedy, {options.count} cases each) | right |\n|---|---|")
    for name, passed in scores(engine, options.count):
        print(f"| {name} | {100 * passed / options.count:.0f} % |", flush=True)
    _print_free(engine, "held-out free questions", exams.free(), answers=options.answers)
    title = "held-out free tasks (tools, JSON, recall, system prompts)"
    _print_free(engine, title, exams.free_tasks(), answers=options.answers)
    prompt, cached = cached_tokens(engine)
    print(f"| cached tokens of a repeated long prompt | {cached} of {prompt} |")
    print(f"| tokens per second, one stream, one thread | {speed(engine)} |")


if __name__ == "__main__":
    main()
