"""Where an embedded engine's weights are, once they are here."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, assert_never

import msgspec

from servery.catalog.weights import Weights, WeightsKind
from servery.fleet.child_process import end_child
from servery.fleet.hub_order import HubFiles, HubOrder, HubRefusal
from servery.fleet.weights_index import WeightsIndex
from servery.fleet.weights_unavailable import WeightsUnavailable

_MODULE: Final = "servery.fleet.hub_download"
_STOP_TIMEOUT_S: Final = 5.0

_NO_TELEMETRY: Final = {"HF_HUB_DISABLE_TELEMETRY": "1"}


class WeightsStore:
    """Gives the file of any weights that a catalog can name, and downloads those that are not here.

    Downloads run one after another, each in a process of its own with ``environment``; they end up in ``directory``,
    which is made when it is first needed. One store at a time may use a directory.
    """

    def __init__(self, *, packaged_model: Path, directory: Path, environment: Mapping[str, str]) -> None:
        self._packaged_model = packaged_model
        self._directory = directory.absolute()
        self._environment = {**environment, **_NO_TELEMETRY}
        self._index = WeightsIndex(self._directory)
        self._failures: dict[Weights, WeightsUnavailable] = {}
        self._turn = asyncio.Lock()

    async def file(self, weights: Weights, *, on_download: Callable[[], None]) -> Path:
        """The GGUF file to load, which may take a download; ``on_download`` is called when one begins for this call.

        However many ask at the same time, one download is made, and its failure is everybody's. When the caller is
        cancelled its download ends, and the next one who waits begins anew. Raises WeightsUnavailable; asking again
        tries again.
        """
        match weights.kind:
            case WeightsKind.PACKAGED:
                return self._packaged_model
            case WeightsKind.FILE:
                assert weights.file is not None, "weights of this kind have a file"
                return weights.file
            case WeightsKind.HUGGING_FACE:
                return await self._from_hub(weights, on_download)
            case _:
                assert_never(weights.kind)

    async def _from_hub(self, weights: Weights, on_download: Callable[[], None]) -> Path:
        failed_before = self._failures.get(weights)
        async with self._turn:
            if (file := self._index.find(weights)) is not None:
                return file
            failure = self._failures.get(weights)
            if failure is not None and failure is not failed_before:
                raise WeightsUnavailable(str(failure))
            on_download()
            try:
                files = await self._download(weights)
            except WeightsUnavailable as error:
                self._failures[weights] = error
                raise
            self._index.add(weights, files)
            return files[0]

    async def _download(self, weights: Weights) -> tuple[Path, ...]:
        assert weights.repository is not None, "only weights of a repository are downloaded"
        order = HubOrder(
            repository=weights.repository, quantization=weights.quantization, directory=str(self._directory)
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            _MODULE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environment,
            start_new_session=True,  # a Ctrl-C at the terminal is the platform's to handle
        )
        try:
            assert process.stdin is not None, "the child is asked over its standard input"
            assert process.stdout is not None, "the child answers on its standard output"
            process.stdin.write(msgspec.json.encode(order) + b"\n")
            line = await process.stdout.readline()
        finally:
            await end_child(process, timeout_s=_STOP_TIMEOUT_S)
        if not line:
            raise WeightsUnavailable(f"the download of {weights} ended with status {process.returncode}")
        reply = msgspec.json.decode(line, type=HubFiles | HubRefusal)
        if isinstance(reply, HubRefusal):
            raise WeightsUnavailable(reply.reason)
        return tuple(Path(file) for file in reply.files)
