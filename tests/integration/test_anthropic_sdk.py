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
