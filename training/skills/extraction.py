"""JSON: reading fields out of a text, with the schema given, named or left to the server's grammar."""

from __future__ import annotations

from random import Random
from typing import Any

from training.conversation import Conversation, Exchange, Message, ask, assistant, system, to_json, user
from training.skills import words

Record = dict[str, Any]
KEYS = {
    "name": ("name", "name", "name", "person", "first_name", "who"),
    "age": ("age", "age", "age", "years", "age_in_years"),
    "city": ("city", "city", "city", "town", "location", "home", "place"),
    "job": ("job", "job", "profession", "occupation", "role"),
    "hobby": ("hobby", "likes", "interest"),
    "colour": ("color", "colour", "favourite_color"),
    "item": ("item", "product", "article", "thing"),
    "quantity": ("quantity", "count", "amount", "number"),
    "price": ("price", "cost", "price_eur"),
    "day": ("day", "weekday", "date"),
    "time": ("time", "hour", "start"),
    "animal": ("animal", "pet", "species"),
}
PERSON = (
    ("{name} is {age} years old and lives in {city}.", "name age city"),
    ("{name}, {age}, lives in {city}.", "name age city"),
    ("{name} ({age}) from {city}", "name age city"),
    ("My name is {name}, I am {age} and I live in {city}.", "name age city"),
    ("I am {name}, {age} years old, from {city}.", "name age city"),
    ("This is {name} from {city}, aged {age}.", "name age city"),
    ("{name} lives in {city} and is {age}.", "name age city"),
    ("In {city} lives {name}, who is {age} years old.", "name age city"),
    ("{name} is a {age}-year-old {job} from {city}.", "name age job city"),
    ("{name} works as a {job} in {city}.", "name job city"),
    ("{name} is {age} years old and works as a {job}.", "name age job"),
    ("{name} is {age} and likes {hobby}.", "name age hobby"),
    ("{name} from {city} likes {hobby} and the colour {colour}.", "name city hobby colour"),
    ("{name} is {age} years old.", "name age"),
    ("{name} lives in {city}.", "name city"),
    ("{name} has a {colour} {animal}.", "name colour animal"),
    ("{name} bought {quantity} {item} for {price} euros.", "name quantity item price"),
    ("Please send {quantity} {item} to {name} in {city}.", "quantity item name city"),
    ("I would like to order {quantity} {item}, {price} euros each.", "quantity item price"),
    ("The {item} costs {price} euros.", "item price"),
    ("{name} comes on {day} at {time}.", "name day time"),
    ("The meeting with {name} is on {day} at {time} in {city}.", "name day time city"),
)
EXTRACT = (
    "Extract {keys} from this text as JSON: {text}",
    "Extract {keys} as JSON: {text}",
    "Return JSON with {keys}. {text}",
    "Read {keys} from the text and answer with JSON.\n\n{text}",
    "{text}\n\nGive me {keys} as JSON.",
    "Turn this into JSON with the fields {keys}: {text}",
    "Convert to JSON ({keys}): {text}",
    "Text: {text}\nFields: {keys}\nAnswer with a JSON object.",
    "Extract the {keys} from: {text}",
    "Extract: {text}",
    "Extract the information: {text}",
    "Extract the data as JSON: {text}",
    "{text}",
    "Parse this: {text}",
    "Make a JSON object from this sentence: {text}",
    "Extract the person from this text: {text}",
    "Get {keys} from this sentence. Answer in JSON. {text}",
    "json please, {keys}: {text}",
    "What are the {keys} in this text? {text}",
    "Extract structured data from: {text}",
)
SCHEMA_SYSTEM = (
    "Answer with JSON that fits this schema: {schema}",
    "You extract data. Reply only with a JSON object: {schema}",
    "Return a JSON object with this JSON schema:\n{schema}",
    "Respond in JSON. Schema: {schema}",
)
PLAIN_SYSTEM = (
    "Answer with JSON only.",
    "You are a JSON extractor.",
    "Extract the fields as a JSON object.",
    "Respond in JSON.",
    "You extract data from text and answer with JSON.",
    "Output valid JSON.",
    "Reply with a JSON object and nothing else.",
)


def record(rng: Random) -> Record:
    """A value for each field."""
    price = rng.choice((rng.randrange(1, 200), round(rng.uniform(1, 100), 2)))
    return {
        "name": words.full_name(rng) if rng.random() < 0.25 else words.name(rng),
        "age": rng.randrange(3, 99),
        "city": words.city(rng),
        "job": rng.choice(words.JOBS),
        "hobby": rng.choice(words.HOBBIES),
        "colour": rng.choice(words.COLOURS),
        "animal": rng.choice(words.ANIMALS),
        "item": rng.choice(words.THINGS),
        "quantity": rng.randrange(2, 60),
        "price": price,
        "time": f"{rng.randrange(7, 22)}:{rng.choice(('00', '15', '30'))}",
        "day": rng.choice(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")),
    }


def extraction(rng: Random) -> Conversation:
    """A text, a wish for JSON, and the JSON."""
    values = record(rng)
    frame, fields = rng.choice(PERSON)
    chosen = fields.split()
    if rng.random() < 0.25 and len(chosen) > 2:
        chosen = rng.sample(chosen, 2)
    elif rng.random() < 0.25:
        rng.shuffle(chosen)
    keys = {field: rng.choice(KEYS[field]) for field in chosen}
    asked = rng.choice(EXTRACT)
    named = "{keys}" in asked
    answer = {keys[f] if named else f: values[f] for f in chosen}
    if not named:
        answer = {f if f != "colour" else "color": values[f] for f in fields.split()}
    text = asked.format(keys=_listed(rng, list(answer)), text=frame.format(**values))
    messages: list[Message] = [user(text), assistant(to_json(answer))]
    roll = rng.random()
    if roll < 0.2:
        messages.insert(0, system(rng.choice(SCHEMA_SYSTEM).format(schema=to_json(schema(answer)))))
    elif roll < 0.5 or asked in ("{text}", "Parse this: {text}", "Extract: {text}"):
        messages.insert(0, system(rng.choice(PLAIN_SYSTEM)))
    elif roll < 0.65:
        messages[0] = user(f"{text}\nSchema: {to_json(schema(answer))}")
    return Conversation(tuple(messages))


def schema(answer: Record) -> Record:
    """The JSON schema of a flat record."""
    kinds = {int: "integer", float: "number", str: "string"}
    properties = {key: {"type": kinds[type(value)]} for key, value in answer.items()}
    return {"type": "object", "properties": properties, "required": list(properties)}


def composed(rng: Random) -> Exchange:
    """JSON without a text to read: an object with given values, a list of words, or a free example."""
    roll = rng.random()
    values = record(rng)
    if roll < 0.4:
        fields = rng.sample(list(values), rng.randint(2, 3))
        pairs = {rng.choice(KEYS[f]): values[f] for f in fields}
        said = ", ".join(f"{k} {v}" for k, v in pairs.items())
        return ask(
            rng.choice(("Give me JSON with {}.", "Write a JSON object with {}", "Make JSON: {}")).format(said),
            to_json(pairs),
        )
    if roll < 0.65:
        items = [rng.choice(words.COMMON) for _ in range(rng.randint(2, 5))]
        return ask(
            rng.choice(("Write these words as a JSON list: {}", "JSON array of: {}", "Make a JSON array: {}")).format(
                ", ".join(items)
            ),
            to_json(items),
        )
    text = rng.choice(
        (
            "Give me an example of JSON.",
            "Write a JSON object.",
            "Show me some JSON.",
            "Return any JSON object.",
            "Give me a JSON object about a person.",
            "Answer with a JSON object.",
            "Invent a person as JSON.",
            "Make up a user profile in JSON",
            "Generate a random person in JSON.",
        )
    )
    return ask(text, to_json({f: values[f] for f in ("name", "age", "city")}))


def reading(rng: Random) -> Exchange:
    """A question about a short text."""
    values = record(rng)
    rest = rng.choice(("", " It is a fine day.", f" {words.name(rng)} lives in {words.city(rng)}."))
    text = "{name} is {age} years old, lives in {city} and works as a {job}.".format(**values) + rest
    name = values["name"]
    question, answer = rng.choice(
        (
            ("Where does {name} live?", "{name} lives in {city}."),
            ("How old is {name}?", "{name} is {age} years old."),
            ("What is {name}'s job?", "{name} works as a {job}."),
            ("What does {name} do?", "{name} works as a {job}."),
            ("Who is this text about?", "It is about {name}."),
        )
    )
    said = rng.choice(("{t} {q}", "Read this: {t}\n{q}", "Text: {t}\nQuestion: {q}", "{q}\n\n{t}"))
    values["name"] = name
    return ask(said.format(t=text, q=question.format(**values)), answer.format(**values))


def _listed(rng: Random, keys: list[str]) -> str:
    if len(keys) == 1:
        return keys[0]
    if rng.random() < 0.5:
        return ", ".join(keys)
    return ", ".join(keys[:-1]) + " and " + keys[-1]
