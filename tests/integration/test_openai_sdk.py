"""The official OpenAI client, unchanged, against a real platform with a real transformer behind it."""

import json

import openai
import pytest

from tests.integration.platform_process import EMBEDDING_MODEL, FAST_MODEL, MODEL, PlatformProcess

WHO = [{"role": "user", "content": "Who are you?"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(scope="module", params=["/inference/v1", "/v1"])
def client(platform: PlatformProcess, request: pytest.FixtureRequest):
    with openai.OpenAI(base_url=platform.base_url + request.param, api_key=platform.key, max_retries=0) as made:
        yield made


@pytest.mark.parametrize(
    ("model", "extra", "tier"),
    [(MODEL, {}, "default"), (MODEL, {"service_tier": "priority"}, "priority"), (FAST_MODEL, {}, "default")],
)
def test_every_serving_path_answers(client, model, extra, tier):
    """Standard, Priority and Fast answer, say which tier served, and name the model that was asked for."""
    answer = client.chat.completions.create(model=model, messages=WHO, temperature=0, **extra)
    assert "Servery" in answer.choices[0].message.content
    assert (answer.model, answer.service_tier) == (model, tier)
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 10


def test_stream_says_the_same_as_the_whole(client):
    """At temperature 0 a stream's pieces make the whole answer; the last chunk carries the same usage."""
    whole = client.chat.completions.create(model=MODEL, messages=WHO, temperature=0)
    chunks = list(client.chat.completions.create(model=MODEL, messages=WHO, temperature=0, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert {chunk.id for chunk in chunks} == {chunks[0].id}


def test_usage_chunk_can_be_declined(client):
    """``include_usage: false`` leaves out the last chunk."""
    chunks = list(
        client.chat.completions.create(model=MODEL, messages=WHO, stream=True, stream_options={"include_usage": False})
    )
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


def test_several_choices_are_each_generated_and_counted(client):
    """``n`` gives that many choices; the prompt is counted once, what was generated in full, streamed or not."""
    answer = client.chat.completions.create(model=MODEL, messages=WHO, n=3, max_tokens=5, temperature=1.0, seed=1)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    single = client.chat.completions.create(model=MODEL, messages=WHO, max_tokens=5)
    assert answer.usage.prompt_tokens == single.usage.prompt_tokens
    assert answer.usage.completion_tokens == 15
    chunks = list(client.chat.completions.create(model=MODEL, messages=WHO, n=2, max_tokens=5, stream=True))
    assert {choice.index for chunk in chunks for choice in chunk.choices} == {0, 1}
    assert chunks[-1].usage.completion_tokens == 10


def test_stop_and_max_tokens(client):
    """``stop`` ends before the stop string, ``max_tokens`` at the count."""
    stopped = client.chat.completions.create(model=MODEL, messages=WHO, stop=[" model"], temperature=0)
    assert stopped.choices[0].finish_reason == "stop"
    assert not stopped.choices[0].message.content.endswith(" model")
    cut = client.chat.completions.create(model=MODEL, messages=WHO, max_completion_tokens=3)
    assert (cut.choices[0].finish_reason, cut.usage.completion_tokens) == ("length", 3)


def test_seed_repeats(client):
    """The same seed draws the same tokens."""
    ask = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Tell me a story."}],
        "seed": 7,
        "temperature": 1.2,
        "max_tokens": 12,
    }
    client.chat.completions.create(**ask)
    texts = {client.chat.completions.create(**ask).choices[0].message.content for _ in range(2)}
    assert len(texts) == 1


def test_logprobs(client):
    """Log probabilities come for each token with their alternatives."""
    answer = client.chat.completions.create(model=MODEL, messages=WHO, max_tokens=4, logprobs=True, top_logprobs=3)
    content = answer.choices[0].logprobs.content
    assert len(content) == 4
    assert all(entry.logprob <= 0 and len(entry.top_logprobs) == 3 for entry in content)


def test_json_schema_is_obeyed(client):
    """An answer with a JSON schema parses and fits it; the same for ``json_object``."""
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    ask = [{"role": "user", "content": "Extract the data as JSON: Anna is 31 years old."}]
    answer = client.chat.completions.create(
        model=MODEL,
        messages=ask,
        max_tokens=200,
        temperature=0,
        response_format={"type": "json_schema", "json_schema": {"name": "person", "schema": schema, "strict": True}},
    )
    person = json.loads(answer.choices[0].message.content)
    assert set(person) == {"name", "age"}
    assert isinstance(person["age"], int)
    answer = client.chat.completions.create(
        model=MODEL, messages=ask, max_tokens=200, temperature=0, response_format={"type": "json_object"}
    )
    assert isinstance(json.loads(answer.choices[0].message.content), dict)


def test_grammar_is_obeyed(client):
    """Fireworks' ``grammar`` response format reaches the engine."""
    answer = client.chat.completions.create(
        model=MODEL,
        messages=WHO,
        extra_body={"response_format": {"type": "grammar", "grammar": 'root ::= "yes" | "no"'}},
    )
    assert answer.choices[0].message.content in {"yes", "no"}


def test_tool_call_and_its_result(client):
    """A required tool is called with arguments that fit; its result is taken in the next turn; also streamed."""
    ask = [{"role": "user", "content": "What is the weather in Oslo?"}]
    answer = client.chat.completions.create(
        model=MODEL, messages=ask, tools=[WEATHER], tool_choice="required", temperature=0, max_tokens=100
    )
    call = answer.choices[0].message.tool_calls[0]
    assert answer.choices[0].finish_reason == "tool_calls"
    assert call.function.name == "get_weather"
    assert isinstance(json.loads(call.function.arguments)["city"], str)
    turns = [
        *ask,
        answer.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": '{"temperature": 7}'},
    ]
    after = client.chat.completions.create(model=MODEL, messages=turns, tools=[WEATHER], max_tokens=60)
    assert after.usage.prompt_tokens > answer.usage.prompt_tokens
    with client.chat.completions.stream(
        model=MODEL, messages=ask, tools=[WEATHER], tool_choice="required", temperature=0, max_tokens=100
    ) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.tool_calls[0].function.name == "get_weather"


def test_a_named_tool_is_the_one_that_is_called(client):
    """Though another would answer the question."""
    clock = {
        **WEATHER,
        "function": {**WEATHER["function"], "name": "get_time", "description": "Get the time in a city"},
    }
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "What is the weather in Oslo?"}],
        tools=[clock, WEATHER],
        tool_choice={"type": "function", "function": {"name": "get_time"}},
        temperature=0,
        max_tokens=100,
    )
    assert answer.choices[0].message.tool_calls[0].function.name == "get_time"


def test_an_answer_goes_on_from_an_assistants_message(client):
    """What the client has begun itself is no part of the answer, streamed or whole."""
    asked = {"messages": [*WHO, {"role": "assistant", "content": "I am"}], "temperature": 0, "max_tokens": 8}
    whole = client.chat.completions.create(model=MODEL, **asked).choices[0].message.content
    chunks = client.chat.completions.create(model=MODEL, stream=True, **asked)
    assert whole == "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert whole.startswith(" ")


def test_completions(client):
    """The older endpoint: several prompts, token ids, streams, the older form of log probabilities."""
    answer = client.completions.create(model=MODEL, prompt=["Hello", "Good"], max_tokens=4, logprobs=2)
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert len(answer.choices[0].logprobs.tokens) == 4
    assert client.completions.create(model=MODEL, prompt=[5, 6, 7], max_tokens=2).usage.completion_tokens == 2
    chunks = list(client.completions.create(model=MODEL, prompt="Hello", max_tokens=4, stream=True))
    assert chunks[-1].usage.completion_tokens == 4


def test_embeddings(client):
    """One vector for each input, the same whether asked for as numbers or, as the client does by itself, base64."""
    by_default = client.embeddings.create(model=EMBEDDING_MODEL, input=["hello", "a cat"])
    as_floats = client.embeddings.create(model=EMBEDDING_MODEL, input=["hello", "a cat"], encoding_format="float")
    assert [entry.index for entry in by_default.data] == [0, 1]
    assert by_default.data[0].embedding == pytest.approx(as_floats.data[0].embedding, abs=1e-6)
    assert as_floats.usage.prompt_tokens == by_default.usage.prompt_tokens > 0


def test_models_are_listed(client):
    """``GET /models`` lists what can be asked for."""
    assert {MODEL, FAST_MODEL, EMBEDDING_MODEL} == {model.id for model in client.models.list()}


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (openai.NotFoundError, {"model": "accounts/servery/models/none"}),
        (openai.NotFoundError, {"model": "demo"}),
        (openai.BadRequestError, {"model": EMBEDDING_MODEL}),
        (openai.BadRequestError, {"temperature": 9}),
        (openai.BadRequestError, {"extra_body": {"colour": "red"}}),
        (openai.BadRequestError, {"messages": []}),
        (
            openai.BadRequestError,
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "nonsense"}}}},
        ),
        (openai.BadRequestError, {"messages": [{"role": "user", "content": "word " * 9000}]}),
        (
            openai.BadRequestError,
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
                    }
                ]
            },
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_bad_requests_are_refused_clearly(client, kind, change, stream):
    """What cannot be served is refused with its status and a message, never served differently."""
    with pytest.raises(kind) as refusal:
        client.chat.completions.create(**{"model": MODEL, "messages": WHO, "stream": stream, **change})
    assert refusal.value.body["message"]
    assert refusal.value.request_id.startswith("chatcmpl-")


def test_a_bad_key_is_refused(client):
    """An unknown key answers 401."""
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sv_nonsense").chat.completions.create(model=MODEL, messages=WHO)


@pytest.mark.parametrize("tokens", [10, 4_090])
def test_context_length_exceeded_behavior(client, tokens):
    """``error`` refuses what does not fit the context whole; ``truncate``, the default, gives a shorter answer."""
    fields = {"model": MODEL, "messages": WHO, "max_tokens": tokens, "stop": [" "]}
    strict = {"extra_body": {"context_length_exceeded_behavior": "error"}}
    assert client.chat.completions.create(**fields).choices
    if tokens == 10:
        assert client.chat.completions.create(**fields, **strict).choices
    else:
        with pytest.raises(openai.BadRequestError, match="maximum context length of 4096"):
            client.chat.completions.create(**fields, extra_body=strict["extra_body"], timeout=180)


@pytest.mark.parametrize("stream", [False, True])
def test_a_conversation_that_is_too_long_has_openais_code(client, stream):
    """By which its clients know that they have to shorten it."""
    long = [{"role": "user", "content": "word " * 9_000}]
    with pytest.raises(openai.BadRequestError, match="The prompt is too long") as refused:
        client.chat.completions.create(model=MODEL, messages=long, stream=stream)
    assert (refused.value.code, refused.value.type) == ("context_length_exceeded", "invalid_request_error")
