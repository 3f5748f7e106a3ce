"""Tools that find something out: weather, time, search, sums."""

from __future__ import annotations

from training.skills import words
from training.skills.toolkit import Kind, Parameter

CITY = Parameter("city", ("city", "location", "place", "town", "city_name"))
QUERY_KINDS = (
    Kind(
        (
            "get_weather",
            "get_weather",
            "get_current_weather",
            "weather",
            "weather_lookup",
            "fetch_weather",
            "get_forecast",
        ),
        (
            "Get the current weather in a city",
            "Weather of a place",
            "Returns the weather",
            "Get the weather",
        ),
        (CITY, Parameter("unit", ("unit", "units"), choices=("celsius", "fahrenheit"))),
        (
            "What is the weather in {city}?",
            "How is the weather in {city}?",
            "weather {city}",
            "Is it cold in {city}?",
            "What's the weather like in {city} today?",
            "Will it rain in {city}?",
            "Tell me the weather in {city}",
            "Do I need an umbrella in {city}?",
            "How warm is it in {city}?",
            "temperature in {city}",
            "Is it sunny in {city}?",
            "What is the temperature in {city}?",
            "Check the weather for {city}.",
            "how hot is it in {city} right now",
        ),
        lambda rng, v: {
            "temperature": rng.randrange(-10, 36),
            "condition": rng.choice(
                (
                    "sunny",
                    "rainy",
                    "cloudy",
                    "windy",
                    "snowy",
                )
            ),
        },
        "In {city} it is {condition} with {temperature} degrees.",
    ),
    Kind(
        ("get_time", "get_current_time", "current_time", "time_in", "clock", "get_local_time"),
        ("Get the current time in a city", "The local time of a place", "Returns the time"),
        (CITY,),
        (
            "What time is it in {city}?",
            "Tell me the time in {city}.",
            "time in {city}",
            "What is the local time in {city}?",
            "How late is it in {city}?",
            "current time in {city} please",
            "Do you know what time it is in {city}?",
        ),
        lambda rng, v: {"time": f"{rng.randrange(24)}:{rng.randrange(10, 60)}"},
        "It is {time} in {city}.",
    ),
    Kind(
        ("search", "web_search", "search_web", "find", "lookup", "search_documents"),
        ("Search the web", "Find pages for a query", "Search documents"),
        (Parameter("query", ("query", "q", "text", "keywords", "search_term")),),
        (
            "Search for {query}.",
            "Search the web for {query}",
            "Find pages about {query}.",
            "Look up {query}.",
            "Can you search for {query}?",
            "google {query}",
            "Find information on {query}",
            "search {query}",
        ),
        lambda rng, v: {"title": words.phrase(rng, 2, 3)},
        "I found this: {title}.",
    ),
    Kind(
        ("calculator", "calculate", "calc", "compute", "evaluate", "math"),
        ("Evaluate an arithmetic expression", "Do sums", "Calculate the result of an expression"),
        (Parameter("expr", ("expression", "expr", "formula", "input")),),
        (
            "What is {expr}?",
            "Calculate {expr}",
            "How much is {expr}?",
            "{expr}",
            "Compute {expr} for me.",
            "solve {expr}",
            "Please work out {expr}.",
            "what's {expr}",
        ),
        lambda rng, v: {"result": rng.randrange(1, 9000)},
        "The result is {result}.",
    ),
    Kind(
        ("add", "add_numbers", "sum", "multiply", "plus"),
        ("Work with two numbers", "Combine two numbers"),
        (Parameter("a", ("a", "x", "first"), "integer"), Parameter("b", ("b", "y", "second"), "integer")),
        (
            "Add {a} and {b}.",
            "Use the tool with {a} and {b}.",
            "What do {a} and {b} make?",
            "{a} and {b} please",
        ),
        lambda rng, v: {"result": rng.randrange(1, 9000)},
        "The result is {result}.",
    ),
)
