"""LiteLLM's proxy, bare: one model, no database, no keys, no budgets."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.cores import pinned
from benchmarks.peers.peer import Gateway
from benchmarks.peers.python_package import environment, version
from benchmarks.place import Place
from benchmarks.started import Started, free_port


class LiteLlm:
    name = "LiteLLM proxy"

    def install(self, place: Place) -> str:
        return version(place, "litellm", "litellm")

    @contextmanager
    def started(self, place: Place, engine_ports: list[int]) -> Iterator[Gateway]:
        folder = place.scratch / "litellm"
        folder.mkdir(exist_ok=True)
        configuration = folder / "config.yaml"
        configuration.write_text(_configuration(engine_ports))
        port = free_port()
        command = [str(environment(place, "litellm") / "litellm"), "--config", str(configuration)]
        command += ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
        quiet = {"LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        quiet["LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY"] = "true"  # on loopback, for the run
        with Started(pinned(command, place.cores.gateway), log=folder / "log", env=quiet, folder=folder) as process:
            process.wait_for_page(f"http://127.0.0.1:{port}/health/liveliness", timeout_s=120)
            yield Gateway(port=port, pid=process.pid)


def _configuration(engine_ports: list[int]) -> str:
    return json.dumps(
        {
            "model_list": [
                {
                    "model_name": "mock",
                    "litellm_params": {
                        "model": "openai/mock",
                        "api_base": f"http://127.0.0.1:{port}/v1",
                        "api_key": "none",
                        "input_cost_per_token": 1e-7,
                        "output_cost_per_token": 4e-7,
                    },
                }
                for port in engine_ports
            ],
            "litellm_settings": {"telemetry": False, "num_retries": 0},
        }
    )
