"""``servery serve --model``: a model by its Hugging Face name, from a hub on loopback."""

from importlib import resources
from pathlib import Path

from tests.fakes.fake_hub import FakeHub
from tests.integration.platform_process import PlatformProcess

MODEL = (resources.files("servery") / "assets" / "servery-demo.gguf").read_bytes()
NAME = "org/tiny-0.5B-GGUF:Q8_0"
MODEL_ID = "accounts/servery/models/tiny-0p5b"


def ask(platform: PlatformProcess) -> str:
    body = {"model": MODEL_ID, "messages": [{"role": "user", "content": "Who are you?"}], "temperature": 0}
    with platform.client() as client:
        answer = client.post("/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["choices"][0]["message"]["content"])


def test_a_model_is_downloaded_once_and_served(tmp_path: Path) -> None:
    """The first start downloads it for all replicas and says so; the next one serves it with no hub at all."""
    with FakeHub({"org/tiny-0.5B-GGUF": {"tiny-Q8_0.gguf": MODEL, "tiny-Q2_K.gguf": b"GGUF"}}) as hub:
        environment = hub.environment(tmp_path / "home")
        with PlatformProcess(tmp_path / "data", "--model", NAME, environment=environment) as platform:
            assert f"downloading  {NAME}" in platform.output
            assert "Servery" in ask(platform)
        assert platform.stop() == 0
    assert len(hub.downloads()) == 1
    with PlatformProcess(tmp_path / "data", "--model", NAME, environment=environment) as platform:
        assert "downloading" not in platform.output
        assert "Servery" in ask(platform)
