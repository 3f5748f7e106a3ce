"""Starts an embedded engine as a child process, watches it, and starts it again when it ends."""

import asyncio
import secrets
import subprocess
import sys
from pathlib import Path

import msgspec

from servery.catalog.engine import EmbeddedEngine
from servery.core.engine_family import EngineFamily
from servery.core.errors import EngineUnavailable, ServeryError
from servery.engines.address import EngineAddress, address_from_url
from servery.engines.client import EngineClient
from servery.fleet.child_process import end_child
from servery.fleet.client_factory import ClientFactory
from servery.fleet.engine_order import EngineOrder, EngineReady
from servery.fleet.prober import ProbePace, wait_until_ill, wait_until_well
from servery.fleet.progress import Progress
from servery.fleet.replica import Replica
from servery.fleet.weights_store import WeightsStore
from servery.fleet.weights_unavailable import WeightsUnavailable

_MODULE = "servery.fleet.embedded_engine"
_LAST_WORDS_BYTES = 2_000


class LaunchLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Restarts wait ``first_backoff_s``, then twice as long each time, up to ``max_backoff_s``; an engine that lived
    ``settled_s`` starts the count anew. A download of weights comes before and has no time limit."""

    startup_timeout_s: float = 120.0
    stop_timeout_s: float = 5.0
    first_backoff_s: float = 0.1
    max_backoff_s: float = 10.0
    settled_s: float = 30.0


class LocalLauncher:
    """Keeps one replica running for as long as ``run`` is awaited."""

    def __init__(
        self,
        replica: Replica,
        engine: EmbeddedEngine,
        *,
        weights: WeightsStore,
        log_file: Path,
        limits: LaunchLimits,
        pace: ProbePace,
        clients: ClientFactory,
        progress: Progress,
    ) -> None:
        self._replica = replica
        self._engine = engine
        self._weights = weights
        self._log_file = log_file
        self._limits = limits
        self._pace = pace
        self._clients = clients
        self._progress = progress

    async def run(self) -> None:
        """Start, watch, start again; ends only by being cancelled, and leaves no process behind."""
        loop = asyncio.get_running_loop()
        backoff_s = self._limits.first_backoff_s
        while True:
            started_s = loop.time()
            reason = await self._live_once()
            self._replica.down(reason)
            self._progress.failed(self._replica.name, reason)
            if loop.time() - started_s > self._limits.settled_s:
                backoff_s = self._limits.first_backoff_s
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, self._limits.max_backoff_s)
            self._replica.restarts += 1

    async def _live_once(self) -> str:
        """One life of the engine, its weights brought before; returns why it ended."""
        model = self._engine.model
        try:
            file = await self._weights.file(
                model, on_download=lambda: self._progress.downloading(self._replica.name, str(model))
            )
        except WeightsUnavailable as error:
            return str(error)
        return await self._live_with(file)

    async def _live_with(self, model_file: Path) -> str:
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        self._progress.starting(self._replica.name, str(self._engine.model))
        with self._log_file.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                _MODULE,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,  # no session of its own: docs/decisions/0029
            )
        try:
            address = await self._wait_for_address(process, model_file)
            client = self._clients(address)
            await self._wait_until_well(process, client)
            self._replica.up(client)
            self._progress.ready(self._replica.name, seconds=loop.time() - started_s)
            return await self._wait_for_end(process, client)
        except (ServeryError, TimeoutError, msgspec.MsgspecError):
            return f"did not start: {self._last_words()}"
        finally:
            await end_child(process, timeout_s=self._limits.stop_timeout_s)

    async def _wait_for_address(self, process: asyncio.subprocess.Process, model_file: Path) -> EngineAddress:
        assert process.stdin is not None, "the child is asked over its standard input"
        assert process.stdout is not None, "the child answers on its standard output"
        order = self._order(model_file, secrets.token_hex(24))
        if process.stdin.is_closing():
            raise EngineUnavailable("the engine ended before it had its order")
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        async with asyncio.timeout(self._limits.startup_timeout_s):
            line = await process.stdout.readline()
        ready = msgspec.json.decode(line, type=EngineReady)
        return address_from_url(
            ready.url, family=EngineFamily.LLAMA_CPP, served_model=order.name, api_key=order.api_key
        )

    def _order(self, model_file: Path, api_key: str) -> EngineOrder:
        engine = self._engine
        return EngineOrder(
            name=self._replica.name.split("/")[0],
            model_file=str(model_file),
            api_key=api_key,
            slots=engine.slots,
            context_length=engine.context_length,
            threads=engine.threads,
            embeddings=engine.embeddings,
        )

    async def _wait_until_well(self, process: asyncio.subprocess.Process, client: EngineClient) -> None:
        """Raises EngineUnavailable as soon as the process has ended, or what the engine said when its time is over."""
        ended = asyncio.ensure_future(process.wait())
        well = asyncio.ensure_future(wait_until_well(client, timeout_s=self._limits.startup_timeout_s))
        try:
            await asyncio.wait({ended, well}, return_when=asyncio.FIRST_COMPLETED)
            if not well.done():
                raise EngineUnavailable(f"the engine ended with status {ended.result()}")
            well.result()
        except BaseException:
            client.close()
            raise
        finally:
            ended.cancel()
            well.cancel()
            await asyncio.gather(ended, well, return_exceptions=True)

    async def _wait_for_end(self, process: asyncio.subprocess.Process, client: EngineClient) -> str:
        """The engine's process ended, or the engine no longer answers: whichever is seen first."""
        ended = asyncio.ensure_future(process.wait())
        ill = asyncio.ensure_future(wait_until_ill(client, self._pace))
        try:
            await asyncio.wait({ended, ill}, return_when=asyncio.FIRST_COMPLETED)
            return f"ended with status {ended.result()}" if ended.done() else f"does not answer: {ill.result()}"
        finally:
            ended.cancel()
            ill.cancel()
            await asyncio.gather(ended, ill, return_exceptions=True)

    def _last_words(self) -> str:
        text = self._log_file.read_bytes()[-_LAST_WORDS_BYTES:].decode(errors="replace").strip()
        return text.splitlines()[-1] if text else "it said nothing"
