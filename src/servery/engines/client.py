"""Everything that is asked of one engine goes through here."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from servery.core.anthropic_form import AnthropicForm
from servery.core.clock import Clock
from servery.core.engine_family import EngineFamily
from servery.core.errors import EngineUnavailable
from servery.core.inference import Embedding, Generation
from servery.core.serving_path import Endpoint, ServingClass
from servery.core.write_turn import WriteTurn
from servery.engines.address import EngineAddress
from servery.engines.answer_reader import NO_EVENTS, EventSink
from servery.engines.body import embedding_body, form_to_pass, generation_body, messages_body, tokenize_body
from servery.engines.cache_place import CachePlace
from servery.engines.connection_limits import ConnectionLimits
from servery.engines.connections import Connections
from servery.engines.continued import begun_by_client
from servery.engines.counted import Count, InputTokens, Tokens
from servery.engines.exchange import Exchange, Expectation
from servery.engines.exchange_limits import ExchangeLimits
from servery.engines.family import Traits, traits_of
from servery.engines.tally import Tally
from servery.engines.unreadable import UNREADABLE

_PATHS: Final = {
    Endpoint.CHAT: b"/v1/chat/completions",
    Endpoint.COMPLETIONS: b"/v1/completions",
    Endpoint.EMBEDDINGS: b"/v1/embeddings",
}

_STREAM: Final = Expectation.STREAM
_WHOLE: Final = Expectation.WHOLE
_MESSAGE_STREAM: Final = Expectation.MESSAGE_STREAM
_WHOLE_MESSAGE: Final = Expectation.WHOLE_MESSAGE

_TOKEN_BYTES: Final = 512
_LOGPROB_BYTES: Final = 1_024
_ENVELOPE_BYTES: Final = 1024 * 1024
"""More than any engine writes for a token, for one of its log probabilities, and around the answer."""

_ASIDE_BYTES: Final = 64 * 1024 * 1024

_Told = TypeVar("_Told", bound=msgspec.Struct)


def _read(told: bytes, shape: type[_Told]) -> _Told:
    try:
        return msgspec.json.decode(told, type=shape)
    except UNREADABLE:
        raise EngineUnavailable("the engine that serves this model did not answer as it should") from None


def _nothing() -> None:
    """For those whom the first event does not concern."""


class EngineClient:
    """Talks to the engine at one ``address`` over kept connections. Those who share a ``turn`` send together."""

    def __init__(
        self,
        address: EngineAddress,
        *,
        connection_limits: ConnectionLimits,
        exchange_limits: ExchangeLimits,
        clock: Clock,
        turn: WriteTurn | None = None,
    ) -> None:
        self.address = address
        self._limits = exchange_limits
        self._connections = Connections(address, connection_limits, clock, turn or WriteTurn())
        host = f"[{address.host}]" if ":" in address.host else address.host
        key = f"Authorization: Bearer {address.api_key}\r\n" if address.api_key else ""
        self._base_path = address.base_path.encode("latin-1")
        self._head = f"Host: {host}:{address.port}\r\n{key}Content-Type: application/json\r\n".encode("latin-1")
        self.family: EngineFamily = address.family
        self.traits: Traits = traits_of(address.family)

    def ask(
        self,
        work: Generation | Embedding,
        *,
        endpoint: Endpoint,
        stream: bool,
        place: CachePlace,
        sink: EventSink,
        tally: Tally,
        serving_class: ServingClass = ServingClass.STANDARD,
        on_first: Callable[[], None] = _nothing,
        on_answer: Callable[[], None] | None = None,
    ) -> Exchange:
        """Send one request; the caller awaits ``answer`` of what is returned, and aborts it when it no longer cares.
        ``on_answer`` is called when the engine begins to answer, ``on_first`` before the first event goes to ``sink``.
        Events and answer are in OpenAI's form, or in Anthropic's where the request was passed so (``form_to_pass``).
        Where the engine cannot be reached, ``answer`` raises EngineUnavailable.
        """
        form = form_to_pass(work, traits=self.traits, stream=stream, serving_class=serving_class)
        if form is None:
            path, expected = _PATHS[endpoint], _STREAM if stream else _WHOLE
        else:
            assert self.traits.messages_path is not None, "a form is passed to who takes it"
            path, expected = self.traits.messages_path.encode(), _MESSAGE_STREAM if stream else _WHOLE_MESSAGE
        body = self._body(work, form, endpoint=endpoint, stream=stream, place=place, serving_class=serving_class)
        exchange = self._exchange(
            b"POST",
            path,
            body,
            expected=expected,
            last=stream and self.traits.closes_after_stream,
            sink=sink,
            on_first=on_first,
            tally=tally,
            on_answer=on_answer,
            max_body_bytes=None if stream else self._most_bytes(work, len(body)),
            begun=self._begun(work, stream=stream),
        )
        exchange.start()
        return exchange

    async def count_prompt(self, work: Generation, *, endpoint: Endpoint, timeout_s: float) -> int:
        """Tokens of the prompt, as the engine's own template and tokenizer make them. Only where the traits say so.
        Raises as ``call`` does, and EngineUnavailable for an answer that is none."""
        assert self.traits.counts_prompts, "not every engine counts"
        if work.messages is None and not isinstance(work.prompt, str):
            return len(work.prompt or ())
        if self.family is EngineFamily.VLLM:
            body = tokenize_body(work, served_model=self.address.served_model)
            return _read(await self.call("POST", "/tokenize", body, timeout_s=timeout_s), Count).count
        if work.messages is not None:
            form = form_to_pass(work, traits=self.traits, stream=False)
            body = self._body(work, form, endpoint=endpoint, stream=False, place=CachePlace())
            counted = await self.call("POST", "/v1/chat/completions/input_tokens", body, timeout_s=timeout_s)
            return _read(counted, InputTokens).input_tokens
        body = msgspec.json.encode({"content": work.prompt, "add_special": True})
        return len(_read(await self.call("POST", "/tokenize", body, timeout_s=timeout_s), Tokens).tokens)

    async def call(self, method: str, path: str, body: bytes = b"", *, timeout_s: float) -> bytes:
        """A small request beside inference (health, metrics, erasing a slot): the body of its 200.

        Raises what the engine's refusal stands for, and EngineUnavailable when it does not answer in time.
        """
        exchange = self._exchange(
            method.encode(),
            path.encode(),
            body,
            expected=Expectation.BYTES,
            last=False,
            sink=NO_EVENTS,
            on_first=_nothing,
            tally=Tally(prompt_tokens_guess=0),
            max_body_bytes=min(self._limits.max_body_bytes, _ASIDE_BYTES),
        )
        try:
            async with asyncio.timeout(timeout_s):
                exchange.start()
                return (await exchange.answer).body
        except TimeoutError as error:
            raise EngineUnavailable("the engine did not answer in time") from error
        finally:
            exchange.abort()

    def close(self) -> None:
        self._connections.close()

    def _body(
        self,
        work: Generation | Embedding,
        form: AnthropicForm | None,
        *,
        endpoint: Endpoint,
        stream: bool,
        place: CachePlace,
        serving_class: ServingClass = ServingClass.STANDARD,
    ) -> bytes:
        served_model, traits = self.address.served_model, self.traits
        if isinstance(work, Embedding):
            return embedding_body(work, served_model=served_model)
        if form is not None:
            return messages_body(work, form, traits=traits, served_model=served_model, stream=stream, place=place)
        return generation_body(
            work,
            endpoint=endpoint,
            family=self.address.family,
            traits=traits,
            served_model=served_model,
            stream=stream,
            place=place,
            serving_class=serving_class,
        )

    def _begun(self, work: Generation | Embedding, *, stream: bool) -> str:
        """What a whole answer will repeat of the prompt."""
        if stream or not self.traits.repeats_beginning or isinstance(work, Embedding) or work.messages is None:
            return ""
        return begun_by_client(work.messages)

    def _most_bytes(self, work: Generation | Embedding, asked_bytes: int) -> int:
        """What a whole answer may need, where its tokens are bounded. Some engines say the prompt again."""
        if isinstance(work, Embedding) or work.max_tokens is None or work.echo:
            return self._limits.max_body_bytes
        each = _TOKEN_BYTES + (_LOGPROB_BYTES * (1 + work.top_logprobs) if work.logprobs else 0)
        return min(self._limits.max_body_bytes, _ENVELOPE_BYTES + 8 * asked_bytes + each * work.max_tokens)

    def _exchange(
        self,
        method: bytes,
        path: bytes,
        body: bytes,
        *,
        expected: Expectation,
        last: bool,
        sink: EventSink,
        on_first: Callable[[], None],
        tally: Tally,
        on_answer: Callable[[], None] | None = None,
        max_body_bytes: int | None = None,
        begun: str = "",
    ) -> Exchange:
        closing = b"Connection: close\r\n" if last else b""
        return Exchange(
            b"%b %b%b HTTP/1.1\r\n%bContent-Length: %d\r\n%b\r\n%b"
            % (method, self._base_path, path, self._head, len(body), closing, body),
            wire=self._connections,
            last=last,
            expected=expected,
            sink=sink,
            on_first=on_first,
            tally=tally,
            limits=self._limits,
            served_model=self.address.served_model,
            on_answer=on_answer,
            max_body_bytes=max_body_bytes,
            begun=begun,
        )
