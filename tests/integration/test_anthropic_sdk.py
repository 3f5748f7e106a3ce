"""The official Anthropic client, unchanged, against a real platform."""

import anthropic
import pytest

from tests.integration.platform_process import MODEL, PlatformProcess

WHO = [{"role": "user", "content": "Who are you?"}]
COLD = {"temperature": 0}
WEATHER = {
    "name": "get_weather",
    "description": "Get the weather in a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture(scope="module", params=["/inference", ""])
def client(platform: PlatformProcess, request: pytest.FixtureRequest):
    with anthropic.Anthropic(base_url=platform.base_url + request.param, api_key=platform.key, max_retries=0) as made:
        yield made


def ask(client, **fields):
    fields = {"model": MODEL, "max_tokens": 60, "messages": WHO, **fields}
    return client.messages.create(**{**fields, "extra_body": {"temperature": 0, **fields.get("extra_body", {})}})


def test_message(client):
    """A message answers with its usage and the tier that served it."""
    answer = ask(client)
    assert "Servery" in answer.content[0].text
    assert (answer.stop_reason, answer.usage.service_tier, answer.model) == ("end_turn", "standard", MODEL)
    assert answer.usage.output_tokens > 5


def test_the_client_knows_its_requests_by_their_ids(client):
    """Of answers, streams and refusals it reads the id under which a request stands in the ledger."""
    raw = client.messages.with_raw_response.create(model=MODEL, max_tokens=5, messages=WHO)
    with client.messages.stream(model=MODEL, max_tokens=5, messages=WHO) as stream:
        streamed = stream.response.headers
    with pytest.raises(anthropic.NotFoundError) as refused:
        ask(client, model="nobody's")
    assert raw.parse()._request_id == raw.headers["x-request-id"]
    assert streamed["request-id"] == streamed["x-request-id"]
    assert refused.value.request_id == refused.value.body["request_id"]


def test_a_message_goes_on_from_what_the_client_has_begun(client):
    """Which is no part of the answer, streamed or whole."""
    begun = [*WHO, {"role": "assistant", "content": "I am"}]
    with client.messages.stream(model=MODEL, max_tokens=8, messages=begun, extra_body=COLD) as stream:
        streamed = stream.get_final_text()
    assert ask(client, max_tokens=8, messages=begun).content[0].text == streamed
    assert streamed.startswith(" ")


def test_priority(client):
    """``service_tier: "priority"`` is served on Priority and says so."""
    assert ask(client, extra_body={"service_tier": "priority"}).usage.service_tier == "priority"
    assert ask(client, service_tier="auto").usage.service_tier == "standard"


def test_bearer_token(platform: PlatformProcess):
    """``Authorization: Bearer`` works as well as ``x-api-key``."""
    with anthropic.Anthropic(base_url=platform.base_url, auth_token=platform.key, api_key=None, max_retries=0) as made:
        assert ask(made).usage.output_tokens > 0


def test_cached_input_stands_apart(client):
    """``input_tokens`` leaves out what was cached; both together are the prompt."""
    long = [{"role": "user", "content": "Remember these words: " + "river stone cloud " * 60 + ". Who are you?"}]
    first, second = ask(client, messages=long), ask(client, messages=long)
    assert second.usage.cache_read_input_tokens > 100
    assert second.usage.cache_creation_input_tokens == 0
    prompts = {answer.usage.input_tokens + answer.usage.cache_read_input_tokens for answer in (first, second)}
    assert len(prompts) == 1


def test_stream_events_in_their_order(client):
    """The client's own accumulator accepts the stream; events come in Anthropic's order."""
    with client.messages.stream(model=MODEL, max_tokens=60, messages=WHO, extra_body=COLD) as stream:
        kinds = [event.type for event in stream if not event.type.startswith("text")]
        final = stream.get_final_message()
    assert kinds[0] == "message_start"
    assert kinds[1] == "content_block_start"
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[2:-3]) == {"content_block_delta"}
    assert final.content[0].text == ask(client).content[0].text
    assert final.usage.output_tokens == ask(client).usage.output_tokens


def test_system_and_stop_sequences(client):
    """A system prompt counts in the input; a stop sequence ends the text before it and is named."""
    plain = ask(client)
    told = ask(client, system=[{"type": "text", "text": "You are terse."}])
    total = [one.usage.input_tokens + one.usage.cache_read_input_tokens for one in (plain, told)]
    assert total[1] > total[0]
    stopped = ask(client, stop_sequences=[" model"])
    assert " model" not in stopped.content[0].text
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", " model")


def test_max_tokens(client):
    """The count ends the answer, and the reason says so."""
    assert ask(client, max_tokens=3).stop_reason == "max_tokens"


def test_tool_use_and_its_result(client):
    """A tool that must be used is, streamed or not, and its result is accepted in the next turn."""
    turn = [{"role": "user", "content": "What is the weather in Oslo?"}]
    fields = {"messages": turn, "tools": [WEATHER], "tool_choice": {"type": "any"}, "max_tokens": 100}
    answer = ask(client, **fields)
    use = answer.content[-1]
    assert (answer.stop_reason, use.type, use.name) == ("tool_use", "tool_use", "get_weather")
    assert isinstance(use.input["city"], str)
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "7 degrees"}
    turns = [*turn, {"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
    assert ask(client, messages=turns, tools=[WEATHER]).usage.output_tokens > 0
    with client.messages.stream(model=MODEL, extra_body=COLD, **fields) as stream:
        final = stream.get_final_message()
    assert final.content[-1].input == use.input


@pytest.mark.parametrize(
    ("kind", "name", "change"),
    [
        (anthropic.NotFoundError, "not_found_error", {"model": "claude-nothing"}),
        (anthropic.BadRequestError, "invalid_request_error", {"max_tokens": 0}),
        (anthropic.BadRequestError, "invalid_request_error", {"messages": []}),
        (anthropic.BadRequestError, "invalid_request_error", {"extra_body": {"container": "x"}}),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_come_in_anthropics_envelope(client, kind, name, change, stream):
    """Refusals have Anthropic's status, type and shape."""
    with pytest.raises(kind) as refusal:
        ask(client, stream=stream, **change)
    assert refusal.value.body["type"] == "error"
    assert refusal.value.body["error"]["type"] == name


def test_a_bad_key_is_refused(client):
    """An unknown key answers 401 in Anthropic's envelope."""
    with pytest.raises(anthropic.AuthenticationError) as refusal:
        ask(client.with_options(api_key="sv_nonsense"))
    assert refusal.value.body["error"]["type"] == "authentication_error"


IN_TURNS = [
    *WHO,
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Let me look.", "signature": ""},
            {"type": "text", "text": "Let me look."},
            {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Oslo"}},
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "7 degrees"}]},
            {"type": "text", "text": "Is that cold?"},
        ],
    },
]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"system": "You are terse."},
        {"system": [{"type": "text", "text": "You are terse."}, {"type": "text", "text": "Mostly."}]},
        {"tools": [WEATHER]},
        {"tools": [WEATHER], "tool_choice": {"type": "any"}},
        {"tools": [WEATHER], "tool_choice": {"type": "none"}},
        {"messages": IN_TURNS, "tools": [WEATHER], "system": "You are terse."},
        {"messages": [*WHO, {"role": "assistant", "content": "I am"}]},
        {"thinking": {"type": "disabled"}},
    ],
)
def test_counted_tokens_are_those_of_the_bill(client, fields):
    """Tools, system and all; by the stable client and the beta's."""
    fields = {"model": MODEL, "messages": WHO, **fields}
    counted = client.messages.count_tokens(**fields)
    assert client.beta.messages.count_tokens(**fields).input_tokens == counted.input_tokens
    usage = ask(client, **fields).usage
    assert counted.input_tokens == usage.input_tokens + usage.cache_read_input_tokens


def test_counting_is_free(client, platform):
    """Neither counts nor their refusals are in the books."""
    key = platform.new_key("counting")
    counting = client.with_options(api_key=key)
    assert counting.messages.count_tokens(model=MODEL, messages=WHO).input_tokens > 5
    with pytest.raises(anthropic.NotFoundError) as refused:
        counting.messages.count_tokens(model="claude-nothing", messages=WHO)
    assert (refused.value.type, refused.value.request_id) == ("not_found_error", refused.value.body["request_id"])
    with pytest.raises(anthropic.AuthenticationError):
        client.with_options(api_key="sv_nonsense").messages.count_tokens(model=MODEL, messages=WHO)
    assert platform.usage("counting")["requests"] == 0


def test_models_are_listed_and_paged(client):
    """Each is an object that the client declares; pages are followed either way; a name may hold slashes."""
    everything = list(client.models.list())
    assert MODEL in {model.id for model in everything}
    for model in everything:
        assert (model.type, model.lifecycle) == ("model", "active")
        assert model.display_name
        assert client.models.retrieve(model.id) == model
        assert client.beta.models.retrieve(model.id).created_at == model.created_at
    assert list(client.models.list(limit=1)) == everything
    last = client.models.list(limit=1, before_id=everything[-1].id)
    assert [model.id for model in last.data] == [everything[-2].id]
    with pytest.raises(anthropic.NotFoundError) as refused:
        client.models.retrieve("claude-nothing")
    assert refused.value.type == "not_found_error"
    assert refused.value.request_id == refused.value.body["request_id"]
    with pytest.raises(anthropic.NotFoundError) as unknown:
        client.beta.files.list()
    assert unknown.value.type == "not_found_error"


def test_the_clients_own_tool_loop(client):
    """It asks for a conversation that the server keeps, is told that there is none, and sends all of it each time."""
    cities = []

    @anthropic.beta_tool
    def get_weather(city: str) -> str:
        """Get the weather in a city"""
        cities.append(city)
        return "7 degrees"

    turn = [{"role": "user", "content": "What is the weather in Oslo?"}]
    for thread in (None, False):
        runner = client.beta.messages.tool_runner(
            model=MODEL, max_tokens=60, messages=turn, tools=[get_weather], max_iterations=3, thread=thread
        )
        answers = list(runner)
        assert answers[0].stop_reason == "tool_use"
        assert len(answers) > 1
    assert cities[0] == "Oslo"


@pytest.mark.parametrize("stream", [False, True])
def test_a_conversation_that_is_too_long_is_refused_in_anthropics_words(client, stream):
    """By which its own clients know that they have to shorten it. It can be counted all the same."""
    long = [{"role": "user", "content": "word " * 9_000}]
    counted = client.messages.count_tokens(model=MODEL, messages=long).input_tokens
    with pytest.raises(anthropic.BadRequestError, match=f"prompt is too long: {counted} tokens > 4096 maximum"):
        ask(client, messages=long, stream=stream)
