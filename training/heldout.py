"""Free questions that the corpus never contains (it skips them), with the words a sensible answer has.

The questions were written before training; some checks were made stricter afterwards. A question counts
as answered when its answer contains one of the expected phrases.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

UNSURE = ("i do not know", "do not understand")

FREE: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "My requests keep getting rejected because I sent too much in one minute, what now?",
        ("429", "retry", "limit"),
    ),
    ("How can I pay less for prompts that start the same way every time?", ("half", "50 %")),
    ("Is there a way to have my calls handled before everybody else's?", ("priority",)),
    ("What should I type to launch this with a model file I downloaded?", ("--model",)),
    (
        "I've got 50,000 documents to process overnight, what is the most economical option?",
        ("batch",),
    ),
    ("Which header makes all calls of one chat land on the same machine?", ("x-session-affinity",)),
    ("Will my existing code written against OpenAI keep working?", ("openai",)),
    ("Hiya, what sort of program am I chatting with?", ("servery demo model", "very small language model")),
    ("Roughly how many weights are inside you?", ("six million",)),
    ("Could you name the town where the Norwegian government sits, i.e. the capital of Norway?", ("oslo",)),
    ("Please enumerate the days of the week for me", ("monday, tuesday",)),
    ("Why does water fall from the clouds?", ("rain is", "vapour")),
    ("I'd love to hear a tale involving a fox", ("fox",)),
    ("Who won the chess championship in 1997?", UNSURE),
    ("Could you figure out 48 times 17?", ("cannot do sums",)),
    ("What's the proper way to send my secret key along with a call?", ("bearer",)),
    ("What happens once I have used up all my money for this month?", ("412", "budget")),
    ("Good to see you! Everything fine with you?", ("fine", "hello", "nice to meet")),
    (
        "Should I try again when the server tells me it is overloaded?",
        (
            "retry-after",
            "503",
            "try again",
            "retry",
        ),
    ),
    ("How does one call the child of a sheep?", ("lamb",)),
    ("Which month follows after April?", ("may",)),
    ("Can I get the output piece by piece instead of all at once?", ("stream",)),
    ("Would you mind explaining what a GPU is?", ("chip", "gpu")),
    ("I want the reply to match a JSON schema, how?", ("response_format", "json_schema")),
)


@dataclass(frozen=True, slots=True)
class Task:
    """A hand-written conversation, and what its answer must be: words, a tool call, or JSON."""

    label: str
    messages: tuple[tuple[str, str], ...]
    words: tuple[str, ...] = ()
    call: tuple[str, dict[str, Any]] | None = None
    json: dict[str, Any] | None = None
    tools: tuple[dict[str, Any], ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


def tool(name: str, description: str, **parameters: str) -> dict[str, Any]:
    """The declaration of a tool, its parameters as name and type."""
    properties = {key: {"type": kind, "description": f"the {key} to use"} for key, kind in parameters.items()}
    declared = {"type": "object", "properties": properties, "required": list(parameters)}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": declared},
    }


def schema(**fields: str) -> dict[str, Any]:
    """The request option that forces a flat JSON object."""
    properties = {key: {"type": kind} for key, kind in fields.items()}
    shape = {
        "type": "object",
        "properties": properties,
        "required": list(fields),
        "additionalProperties": False,
    }
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": shape}}}


WEATHER = tool("get_weather", "Get the weather for a location", location="string")
CLOCK = tool("get_time", "Tells the time for a timezone city", city="string")

TASKS: tuple[Task, ...] = (
    Task(
        "weather tool",
        (("user", "What's it like outside in Lisbon these days?"),),
        call=("get_weather", {"location": "Lisbon"}),
        tools=(WEATHER,),
    ),
    Task(
        "one of two tools",
        (("user", "Could you check what time they have in Nairobi?"),),
        call=("get_time", {"city": "Nairobi"}),
        tools=(WEATHER, CLOCK),
    ),
    Task(
        "unseen kind of tool",
        (("user", "Find me the recipe for pancakes."),),
        call=("find_recipe", {"dish": "pancakes"}),
        tools=(tool("find_recipe", "Finds a recipe", dish="string"),),
    ),
    Task(
        "calculator tool",
        (("user", "Please tell me the result of 12 * 34"),),
        call=("calculator", {"expression": "12 * 34"}),
        tools=(tool("calculator", "Evaluates", expression="string"),),
    ),
    Task(
        "tool not needed",
        (("user", "Good morning to you, friend!"),),
        words=("morning", "hello", "good day"),
        tools=(WEATHER,),
    ),
    Task(
        "json_schema",
        (("user", "Here comes Rebecca, 27 years of age, resident of Utrecht."),),
        json={"name": "Rebecca", "age": 27, "city": "Utrecht"},
        options=schema(name="string", age="integer", city="string"),
    ),
    Task(
        "json_schema, two fields",
        (("user", "Our new plumber is called Stefan and he is 44."),),
        json={"name": "Stefan", "age": 44},
        options=schema(name="string", age="integer"),
    ),
    Task(
        "json in the prompt",
        (("user", "Give back JSON having name and city for: Marta moved to Krakow."),),
        json={"name": "Marta", "city": "Krakow"},
    ),
    Task(
        "recall after other talk",
        (
            ("user", "Hey! I'm Dominik, good to be here."),
            ("assistant", "Nice to meet you, Dominik!"),
            ("user", "What is the capital of Peru?"),
            ("assistant", "The capital of Peru is Lima."),
            ("user", "Can you still tell me who I am?"),
        ),
        words=("Dominik",),
    ),
    Task(
        "persona",
        (("system", "You are Captain Hook, a pirate captain on a ship."), ("user", "Tell me who you are!")),
        words=("Hook",),
    ),
    Task(
        "capital letters",
        (
            ("system", "Please write all of your answers with capital letters only."),
            ("user", "What is the capital of Spain?"),
        ),
        words=("MADRID",),
    ),
    Task(
        "one word",
        (("system", "Your answers consist of exactly one word."), ("user", "What is the capital of Japan?")),
        words=("Tokyo",),
    ),
    Task(
        "fact in the system prompt",
        (
            ("system", "You are a shop assistant. The shop opens at 9 and closes at 18."),
            ("user", "When does the shop open?"),
        ),
        words=("at 9", "from 9"),
    ),
    Task(
        "repeat",
        (("user", "Kindly repeat these words: purple tractor seven"),),
        words=("purple tractor seven",),
    ),
    Task("count", (("user", "Would you count up to 12 for me?"),), words=("10, 11, 12.",)),
    Task(
        "story with a name",
        (("user", "Please write a tale about an owl by the name of Hedda."),),
        words=("Hedda",),
    ),
)


def questions() -> tuple[str, ...]:
    """Every user message of the held-out questions and tasks."""
    said = [question for question, _ in FREE]
    said += [text for task in TASKS for role, text in task.messages if role == "user"]
    return tuple(said)


def normal(text: str) -> str:
    """The text in lowercase without marks, for comparing."""
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))
