"""What is said of classes that are marked ``acyclic``: no instance leads back to itself."""

import ast
import asyncio
import gc
import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from tests.fakes.engine_scripts import answers, streams
from tests.serving.house import CHAT, HEDGED, HELLO, PLAIN, SLOTTED, House, asked
from tests.turns import turns

import servery

COMPILED = os.environ.get("FORM_UNDER_TEST") == "compiled"
SOURCE = Path(__file__).parents[2] / "src"


def marked() -> list[type]:
    found = []
    for file in sorted((SOURCE / servery.__name__).rglob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and any(ast.unparse(one) == "acyclic" for one in node.decorator_list):
                module = ".".join(file.relative_to(SOURCE).with_suffix("").parts)
                found.append(getattr(importlib.import_module(module), node.name))
    return found


def led_to(instance: object) -> Iterator[object]:
    """All that can be reached from it, but for what belongs to the program."""
    seen, ahead = set(), [instance]
    while ahead:
        for one in gc.get_referents(ahead.pop()):
            if id(one) not in seen and not isinstance(one, type | ModuleType):
                seen.add(id(one))
                ahead.append(one)
                yield one


@pytest.mark.skipif(COMPILED, reason="compiled, the collector does not know what they refer to")
async def test_no_marked_instance_leads_back_to_itself(house: House) -> None:
    """Looked at while streams are going on and after them: with several choices, with a second attempt, on engines with
    slots, on engines that share blocks, and after the same again."""
    hold = asyncio.Event()
    house.first.always = house.second.always = answers()
    for _ in range(2):
        await house.serve(asked(CHAT, stream=False))
    house.first.always = house.second.always = streams(["x"] * 20, hold=hold)
    several = asked(CHAT, HELLO, HELLO, choices_per_prompt=2)
    requests = (asked(CHAT), several, asked(PLAIN), asked(HEDGED), asked(SLOTTED))
    serving = [house.begin(request)[0] for request in requests]
    await turns(100)
    classes = set(marked())
    found = [one for one in gc.get_objects() if type(one) in classes]
    circular = {type(one) for one in found if any(other is one for other in led_to(one))}
    hold.set()
    await asyncio.gather(*serving)
    assert len({type(one) for one in found}) >= 15
    assert circular == set()


@pytest.mark.skipif(not COMPILED, reason="the collector knows all but what is compiled")
def test_the_collector_does_not_know_them() -> None:
    """Compiled, which is what they are marked for."""
    has_gc = 1 << 14  # of a type's flags: Py_TPFLAGS_HAVE_GC
    assert marked()
    assert [one for one in marked() if one.__flags__ & has_gc] == []
