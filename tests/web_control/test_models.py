"""Models as resources, and as OpenAI lists them."""

import openai
import pytest
from tests.web_control.conftest import Plane


async def test_the_platforms_models_are_for_everybody(plane: Plane) -> None:
    """Any key lists them, with what the catalog says of each."""
    listed = await plane.call("GET", "/v1/accounts/servery/models")
    demo, embed = listed["models"]
    assert demo == await plane.call("GET", "/v1/accounts/servery/models/demo")
    assert (demo["name"], demo["state"], demo["kind"]) == ("accounts/servery/models/demo", "READY", "HF_BASE_MODEL")
    assert (demo["contextLength"], demo["supportsServerless"], demo["supportsTools"]) == (4096, True, True)
    assert demo["baseModelDetails"]["parameterCount"].isdigit()
    assert demo["defaultSamplingParams"] == {"temperature": 0.2}
    assert "deprecationDate" not in demo
    assert (embed["kind"], embed["supportsTools"]) == ("EMBEDDING_MODEL", False)
    assert "defaultSamplingParams" not in embed


async def test_another_account_has_no_models(plane: Plane) -> None:
    """An account's own list is empty; an unknown model is a 404."""
    assert (await plane.call("GET", "/v1/accounts/acme/models"))["models"] == []
    for path in ("/v1/accounts/acme/models/demo", "/v1/accounts/servery/models/none"):
        assert (await plane.call("GET", path, status=404))["code"] == 5


@pytest.mark.parametrize("prefix", ["/inference/v1", "/v1"])
async def test_openais_client_lists_models(plane: Plane, prefix: str) -> None:
    """The official client reads the list, routers included, and one model by its name."""
    client = openai.AsyncOpenAI(
        api_key=plane.acme.key, base_url=f"http://servery{prefix}", http_client=plane.client, max_retries=0
    )
    listed = [model async for model in client.models.list()]
    assert [model.id for model in listed] == [
        "accounts/servery/models/demo",
        "accounts/servery/models/demo-embed",
        "accounts/servery/routers/demo-fast",
    ]
    demo = listed[0]
    assert (demo.object, demo.owned_by, demo.created) == ("model", "servery", 1_795_132_800)
    assert demo.model_extra == {
        "kind": "HF_BASE_MODEL",
        "supports_chat": True,
        "supports_image_input": False,
        "supports_tools": True,
        "context_length": 4096,
    }
    assert await client.models.retrieve("accounts/servery/models/demo") == demo


async def test_refusals_of_the_list_are_in_openais_form(plane: Plane) -> None:
    """Who asks in OpenAI's words is refused in OpenAI's words, and knows its request by its id."""
    no_key = await plane.client.get("/inference/v1/models")
    assert (no_key.status_code, no_key.json()["error"]["code"]) == (401, "UNAUTHORIZED")
    unknown = await plane.client.get("/v1/models/demo", headers={"x-api-key": plane.acme.key})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "NOT_FOUND")
    assert unknown.json()["request_id"] == unknown.headers["x-request-id"]
