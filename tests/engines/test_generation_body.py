"""What is sent to each family of engine."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.core.engine_family import EngineFamily
from servery.core.errors import InvalidRequest
from servery.core.inference import Embedding, Generation
from servery.core.sampling import Sampling
from servery.core.serving_path import Endpoint, ServingClass
from servery.core.structure import Structure, StructureKind
from servery.core.value import changed
from servery.engines.body import body_start, check_honoured, embedding_body, generation_parts, tokenize_body
from servery.engines.cache_place import CachePlace
from servery.engines.family import traits_of

MESSAGES = b'[{"role":"user","content":"hi"}]'
CHAT = Generation(messages=MESSAGES)
EVERY_SAMPLING = Sampling(
    temperature=0.5,
    top_p=0.9,
    top_k=40,
    min_p=0.1,
    typical_p=0.8,
    frequency_penalty=0.2,
    presence_penalty=0.3,
    repetition_penalty=1.1,
    mirostat_target=5.0,
    mirostat_lr=0.1,
    logit_bias={"7": -100.0},
    seed=3,
    ignore_eos=True,
)
LENGTH_AND_STOPS = Sampling(min_tokens=5, stop_token_ids=(7, 8))
OWN_NAMES_OF_LLAMA_CPP = {
    "repetition_penalty": "repeat_penalty",
    "mirostat_target": "mirostat_tau",
    "mirostat_lr": "mirostat_eta",
}
ALL = list(EngineFamily)


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def body(
    generation: Generation,
    family: EngineFamily = EngineFamily.LLAMA_CPP,
    *,
    endpoint: Endpoint = Endpoint.CHAT,
    stream: bool = False,
    place: CachePlace = CachePlace(),  # noqa: B008
) -> dict[str, Any]:
    parts = generation_parts(
        generation,
        endpoint=endpoint,
        family=family,
        traits=traits_of(family),
        start=body_start("served", stream=stream, has_messages=generation.messages is not None),
        stream=stream,
        place=place,
    )
    found: dict[str, Any] = json.loads(b"".join(parts))
    return found


@pytest.mark.parametrize("family", ALL)
def test_a_plain_chat_says_no_more_than_it_must(family: EngineFamily) -> None:
    """What nobody asked for is not sent: the engine's own defaults hold."""
    assert body(CHAT, family) == {
        "model": "served",
        "stream": False,
        "messages": [{"role": "user", "content": "hi"}],
    }


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


@pytest.mark.parametrize("family", ALL)
def test_a_tool_that_is_named_is_the_one_that_is_called(family: EngineFamily) -> None:
    """llama.cpp takes a name for no choice at all: it is told of that tool alone, and that it is required."""
    tools, choice = [tool("a"), tool("b")], {"type": "function", "function": {"name": "b"}}
    asked = changed(CHAT, tools=raw(tools), tool_choice=raw(choice))
    sent = body(asked, family)
    is_llama_cpp = family is EngineFamily.LLAMA_CPP
    assert (sent["tools"], sent["tool_choice"]) == (([tool("b")], "required") if is_llama_cpp else (tools, choice))


@pytest.mark.parametrize("family", ALL)
@pytest.mark.parametrize("choice", ["auto", "none", "required"])
def test_a_word_about_tools_is_said_as_it_is(choice: str, family: EngineFamily) -> None:
    """With all of them; but llama.cpp is not told of tools that must not be used, and which a model that sees them
    calls all the same, as text."""
    tools = [tool("a"), tool("b")]
    sent = body(changed(CHAT, tools=raw(tools), tool_choice=raw(choice)), family)
    untold = choice == "none" and family is EngineFamily.LLAMA_CPP
    assert (sent.get("tools"), sent.get("tool_choice")) == ((None, None) if untold else (tools, choice))


@pytest.mark.parametrize("family", ALL)
def test_a_stream_asks_for_usage(family: EngineFamily) -> None:
    """Without usage in its last frame a stream could not be charged exactly."""
    sent = body(CHAT, family, stream=True)
    assert sent["stream_options"] == {"include_usage": True}
    assert sent.get("return_progress", False) is (family is EngineFamily.LLAMA_CPP)


def test_llama_cpp_has_its_own_names_for_sampling() -> None:
    """Every sampling field arrives, some under the names that llama.cpp reads, and mirostat is switched on."""
    sent = body(changed(CHAT, sampling=EVERY_SAMPLING))
    for name, value in EVERY_SAMPLING.given.items():
        assert sent[OWN_NAMES_OF_LLAMA_CPP.get(name, name)] == value
    assert sent["mirostat"] == 2
    assert not OWN_NAMES_OF_LLAMA_CPP.keys() & sent.keys()


@pytest.mark.parametrize("family", [EngineFamily.VLLM, EngineFamily.SGLANG, EngineFamily.OPENAI])
def test_other_families_take_sampling_under_our_names(family: EngineFamily) -> None:
    """Names pass as they are; no switch of llama.cpp's goes along."""
    sent = body(changed(CHAT, sampling=EVERY_SAMPLING), family)
    assert EVERY_SAMPLING.given.items() <= sent.items()
    assert "mirostat" not in sent


@pytest.mark.parametrize(
    ("family", "field", "value"),
    [
        (EngineFamily.LLAMA_CPP, "grammar", "root ::= x"),
        (EngineFamily.VLLM, "structured_outputs", {"grammar": "root ::= x"}),
        (EngineFamily.SGLANG, "ebnf", "root ::= x"),
    ],
)
def test_a_grammar_goes_where_the_family_reads_it(family: EngineFamily, field: str, value: object) -> None:
    """Each family has a field of its own for it, and none takes it as a response format."""
    structure = Structure(StructureKind.GRAMMAR, grammar="root ::= x")
    sent = body(changed(CHAT, structure=structure), family)
    assert sent[field] == value
    assert "response_format" not in sent


@pytest.mark.parametrize("family", ALL)
def test_json_structures_are_response_formats(family: EngineFamily) -> None:
    """With a schema or without, in OpenAI's form."""
    schema = Structure(StructureKind.JSON_SCHEMA, schema=msgspec.Raw(b'{"type":"object"}'))
    sent = body(changed(CHAT, structure=schema), family)
    assert sent["response_format"]["type"] == "json_schema"
    assert sent["response_format"]["json_schema"]["schema"] == {"type": "object"}
    sent = body(changed(CHAT, structure=Structure(StructureKind.JSON_OBJECT)), family)
    assert sent["response_format"] == {"type": "json_object"}


def test_log_probabilities_are_asked_for_in_the_endpoints_way() -> None:
    """Chat takes a switch and a number; completions take a number, which llama.cpp needs to be at least one."""
    asked = Generation(messages=MESSAGES, logprobs=True, top_logprobs=0)
    assert body(asked)["logprobs"] is True
    assert body(asked)["top_logprobs"] == 0
    completion = Generation(prompt="a", logprobs=True, top_logprobs=0)
    assert body(completion, endpoint=Endpoint.COMPLETIONS)["logprobs"] == 1
    assert body(completion, EngineFamily.VLLM, endpoint=Endpoint.COMPLETIONS)["logprobs"] == 0
    assert "top_logprobs" not in body(completion, endpoint=Endpoint.COMPLETIONS)
    assert "logprobs" not in body(changed(asked, logprobs=False, top_logprobs=3))


def test_tools_and_options_pass_as_they_were_given() -> None:
    """Tools, the choice among them, template options, effort, stops, and the most tokens."""
    tools = msgspec.Raw(b'[{"type":"function","function":{"name":"f"}}]')
    sent = body(
        Generation(
            messages=MESSAGES,
            tools=tools,
            tool_choice=msgspec.Raw(b'"required"'),
            parallel_tool_calls=False,
            max_tokens=9,
            stop=("a", "b"),
            template_options=msgspec.Raw(b'{"enable_thinking":false}'),
            reasoning_effort="low",
        )
    )
    assert sent["tools"] == [{"type": "function", "function": {"name": "f"}}]
    assert sent["tool_choice"] == "required"
    assert sent["parallel_tool_calls"] is False
    assert sent["max_tokens"] == 9
    assert sent["stop"] == ["a", "b"]
    assert sent["chat_template_kwargs"] == {"enable_thinking": False}
    assert sent["reasoning_effort"] == "low"


def test_a_prompt_is_text_or_tokens() -> None:
    """Completions send the prompt, never messages."""
    for prompt in ("text", [1, 2, 3]):
        sent = body(Generation(prompt=prompt), endpoint=Endpoint.COMPLETIONS)
        assert sent["prompt"] == prompt
        assert "messages" not in sent


def test_the_place_in_the_cache_is_told_in_the_familys_way() -> None:
    """A slot where there are slots, a salt where there are salts, else nothing."""
    place = CachePlace(slot=0, salt="acme/")
    assert body(CHAT, place=place)["id_slot"] == 0
    assert "cache_prompt" not in body(CHAT, place=place), "what lies there is gone on with"
    assert body(CHAT, place=CachePlace(slot=0, is_emptied=True))["cache_prompt"] is False
    assert "cache_salt" not in body(CHAT, place=place)
    salted = body(CHAT, EngineFamily.VLLM, place=CachePlace(salt="acme/"))
    assert salted["cache_salt"].isalnum(), "vLLM takes no slashes"
    other = body(CHAT, EngineFamily.VLLM, place=CachePlace(salt="acme/x"))
    assert salted["cache_salt"] != other["cache_salt"]
    assert "id_slot" not in salted
    assert "cache_salt" not in body(CHAT, EngineFamily.OPENAI, place=CachePlace(salt="acme/"))


def test_embeddings_are_asked_for_as_numbers() -> None:
    """Whatever the client wants to be shown; dimensions only when given."""
    assert json.loads(embedding_body(Embedding(inputs=("a", "b")), served_model="m")) == {
        "model": "m",
        "input": ["a", "b"],
        "encoding_format": "float",
    }
    sent = json.loads(embedding_body(Embedding(inputs=((1, 2),), dimensions=8), served_model="m"))
    assert sent["input"] == [[1, 2]]
    assert sent["dimensions"] == 8


@pytest.mark.parametrize(
    ("family", "fields", "refused"),
    [
        (EngineFamily.VLLM, {"sampling": Sampling(typical_p=0.5)}, "typical_p"),
        (EngineFamily.SGLANG, {"sampling": Sampling(mirostat_target=5.0)}, "mirostat_target"),
        (EngineFamily.OPENAI, {"sampling": Sampling(top_k=1)}, "top_k"),
        (EngineFamily.OPENAI, {"structure": Structure(StructureKind.GRAMMAR, grammar="x")}, "grammar"),
        (EngineFamily.OPENAI, {"template_options": msgspec.Raw(b"{}")}, "chat_template_kwargs"),
        (
            EngineFamily.OPENAI,
            {
                "template_options": msgspec.Raw(b'{"enable_thinking":true,"preserve_thinking":true}'),
                "reasoning_effort": "low",
            },
            "chat_template_kwargs",
        ),
        (EngineFamily.LLAMA_CPP, {"sampling": Sampling(min_tokens=5)}, "min_tokens"),
        (EngineFamily.OPENAI, {"sampling": Sampling(stop_token_ids=(7,))}, "stop_token_ids"),
        (EngineFamily.LLAMA_CPP, {"echo": True}, "echo"),
        (EngineFamily.SGLANG, {"echo": True}, "echo"),
    ],
)
def test_what_an_engine_would_ignore_is_refused(family: EngineFamily, fields: dict[str, Any], refused: str) -> None:
    """The refusal names the field; a feature is never silently left out."""
    generation = changed(CHAT, **fields)
    with pytest.raises(InvalidRequest) as error:
        check_honoured(generation, traits_of(family).honours)
    assert error.value.param == refused


@pytest.mark.parametrize("thinks", ["true", "false"])
def test_what_an_effort_says_by_itself_suits_engines_without_template_options(thinks: str) -> None:
    """The switch that comes with each effort is for those that know it."""
    options = msgspec.Raw(b'{"enable_thinking":%s}' % thinks.encode())
    generation = changed(CHAT, template_options=options, reasoning_effort="low")
    check_honoured(generation, traits_of(EngineFamily.OPENAI).honours)


@pytest.mark.parametrize("family", [EngineFamily.VLLM, EngineFamily.SGLANG])
def test_a_least_length_and_stop_tokens_go_to_those_who_know_them(family: EngineFamily) -> None:
    """Under the names that they share."""
    generation = changed(CHAT, sampling=LENGTH_AND_STOPS)
    check_honoured(generation, traits_of(family).honours)
    sent = body(generation, family)
    assert (sent["min_tokens"], sent["stop_token_ids"]) == (5, [7, 8])


@pytest.mark.parametrize("family", ALL)
def test_drawing_from_all_tokens_is_told_in_the_familys_number(family: EngineFamily) -> None:
    """SGLang refuses the 0 that the others take."""
    told = body(changed(CHAT, sampling=Sampling(top_k=0)), family)["top_k"]
    assert told == (-1 if family is EngineFamily.SGLANG else 0)


@pytest.mark.parametrize("family", ALL)
def test_what_is_left_out_is_never_refused(family: EngineFamily) -> None:
    """A request that asks for nothing special, or switches something off, suits every family."""
    check_honoured(CHAT, traits_of(family).honours)
    check_honoured(changed(CHAT, logprobs=False, echo=False, sampling=Sampling(seed=0)), traits_of(family).honours)


GIVEN = {"temperature": 0.5, "top_k": 3, "seed": 7, "min_p": 0.1}


@given(st.sets(st.sampled_from(sorted(GIVEN))), st.lists(st.frozensets(st.sampled_from(sorted(GIVEN))), max_size=6))
def test_what_suits_some_engines_is_looked_at_for_others(names: set[str], engines: list[frozenset[str]]) -> None:
    """One sampling, asked of one engine after the other, in any order and again: each refuses what it lacks."""
    asked = changed(CHAT, sampling=Sampling(**{name: GIVEN[name] for name in names}))  # type: ignore[arg-type]
    for honours in (*engines, *engines):
        if names <= honours:
            check_honoured(asked, honours)
        else:
            with pytest.raises(InvalidRequest, match=min(names - honours)):
                check_honoured(asked, honours)


def test_every_family_honours_what_only_it_is_asked() -> None:
    """What the table says llama.cpp honours includes all sampling fields that the API documents."""
    check_honoured(changed(CHAT, sampling=EVERY_SAMPLING), traits_of(EngineFamily.LLAMA_CPP).honours)


def test_priority_is_told_in_the_familys_numbers() -> None:
    """Of vLLM the smaller number goes first, of SGLang the larger. Whoever has none is told none."""

    def told(family: EngineFamily, serving_class: ServingClass) -> object:
        parts = generation_parts(
            CHAT,
            endpoint=Endpoint.CHAT,
            family=family,
            traits=traits_of(family),
            start=body_start("served", stream=False, has_messages=True),
            stream=False,
            place=CachePlace(),
            serving_class=serving_class,
        )
        return json.loads(b"".join(parts)).get("priority")

    assert told(EngineFamily.VLLM, ServingClass.PRIORITY) == -1
    assert told(EngineFamily.SGLANG, ServingClass.PRIORITY) == 1
    assert told(EngineFamily.LLAMA_CPP, ServingClass.PRIORITY) is None
    assert {told(family, ServingClass.STANDARD) for family in ALL} == {None}


def test_what_vllm_is_asked_to_count() -> None:
    """A text, or all that its template makes a prompt of."""
    text = Generation(prompt="hi", max_tokens=5)
    assert json.loads(tokenize_body(text, served_model="m")) == {"model": "m", "prompt": "hi"}
    tools = msgspec.Raw(b'[{"type":"function"}]')
    chat = Generation(messages=MESSAGES, tools=tools, template_options=msgspec.Raw(b'{"thinking":false}'), max_tokens=5)
    assert json.loads(tokenize_body(chat, served_model="m")) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function"}],
        "chat_template_kwargs": {"thinking": False},
    }


@pytest.mark.parametrize("family", ALL)
@pytest.mark.parametrize("choice", ["auto", "required", {"type": "function", "function": {"name": "b"}}])
def test_a_call_that_is_required_has_no_text_to_be_formed(family: EngineFamily, choice: object) -> None:
    """llama.cpp would form the text, and make no call."""
    form = Structure(StructureKind.JSON_OBJECT)
    sent = body(changed(CHAT, tools=raw([tool("b")]), tool_choice=raw(choice), structure=form), family)
    is_left_out = family is EngineFamily.LLAMA_CPP and choice != "auto"
    assert ("response_format" in sent) is not is_left_out
