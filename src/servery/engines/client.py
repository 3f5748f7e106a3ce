"""Everything that is asked of one engine goes through here."""

import asyncio
from typing import Final, TypeVar

import msgspec

from servery.core.anthropic_form import AnthropicForm
from servery.core.clock import Clock
from servery.core.digits import digits
from servery.core.engine_family import EngineFamily
from servery.core.errors import EngineUnavailable, InvalidRequest
from servery.core.inference import Embedding, Generation, Work
from servery.core.serving_path import Endpoint, ServingClass
from servery.core.write_turn import WriteTurn
from servery.engines.address import EngineAddress
from servery.engines.answer_reader import NO_EVENTS, EventSink
from servery.engines.asker import NOBODY, Asker
from servery.engines.body import (
    body_start,
    count_body,
    embedding_body,
    form_to_pass,
    generation_parts,
    messages_body,
    tokenize_body,
)
from servery.engines.cache_place import CachePlace
from servery.engines.call_opening import Rendered, opening_of, trials, wants_opening
from servery.engines.connection_limits import ConnectionLimits
from servery.engines.connections import Connections
from servery.engines.continued import begun_by_client
from servery.engines.counted import Count, InputTokens, Tokens
from servery.engines.exchange import Exchange, Expectation
from servery.engines.exchange_limits import ExchangeLimits
from servery.engines.family import Traits, traits_of
from servery.engines.tally import Tally
from servery.engines.unreadable import UNREADABLE

_PATHS: Final[dict[Endpoint | None, str]] = {
    Endpoint.CHAT: "/v1/chat/completions",
    Endpoint.COMPLETIONS: "/v1/completions",
    Endpoint.EMBEDDINGS: "/v1/embeddings",
}

_STREAM: Final = Expectation.STREAM
_WHOLE: Final = Expectation.WHOLE
_VECTORS: Final = Expectation.VECTORS
_MESSAGE_STREAM: Final = Expectation.MESSAGE_STREAM
_WHOLE_MESSAGE: Final = Expectation.WHOLE_MESSAGE

_TOKEN_BYTES: Final = 512
_LOGPROB_BYTES: Final = 1_024
_ENVELOPE_BYTES: Final = 1024 * 1024
"""More than any engine writes for a token, for one of its log probabilities, and around the answer."""

_ASIDE_BYTES: Final = 64 * 1024 * 1024
_TEMPLATE_TIMEOUT_S: Final = 5.0

_Told = TypeVar("_Told", bound=msgspec.Struct)


def _read(told: bytes, shape: type[_Told]) -> _Told:
    try:
        return msgspec.json.decode(told, type=shape)
    except UNREADABLE:
        raise EngineUnavailable("the engine that serves this model did not answer as it should") from None


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
        self._headers = f"Host: {host}:{address.port}\r\n{key}Content-Type: application/json\r\n"
        self.family: EngineFamily = address.family
        self.traits: Traits = traits_of(address.family)
        self._served_model = address.served_model
        # What is the same in each request is made once.
        self._start = body_start(address.served_model, stream=False, has_messages=True)
        self._stream_start = body_start(address.served_model, stream=True, has_messages=True)
        self._prompt_start = body_start(address.served_model, stream=False, has_messages=False)
        self._prompt_stream_start = body_start(address.served_model, stream=True, has_messages=False)
        self._heads = self._inference_heads(is_last=False)
        self._stream_heads = self._inference_heads(is_last=self.traits.closes_after_stream)
        self._opening: str | None = None

    def ask(
        self,
        work: Work,
        *,
        endpoint: Endpoint,
        stream: bool,
        place: CachePlace,
        sink: EventSink,
        tally: Tally,
        serving_class: ServingClass = ServingClass.STANDARD,
        opening: str = "",
        asker: Asker = NOBODY,
    ) -> Exchange:
        """Send one request; the caller awaits ``answer`` of what is returned, and aborts it when it no longer cares.
        ``opening`` is what ``opening_for`` has told. ``asker`` hears when the engine begins to answer, and before the
        first event goes to ``sink``. Events and answer are in OpenAI's form, or in Anthropic's where the request was
        passed so (``form_to_pass``). Where the engine cannot be reached, ``answer`` raises EngineUnavailable.
        """
        form = form_to_pass(work, traits=self.traits, stream=stream, serving_class=serving_class)
        if stream:
            heads, expected = self._stream_heads, _STREAM if form is None else _MESSAGE_STREAM
        else:
            heads, expected = self._heads, _WHOLE if form is None else _WHOLE_MESSAGE
        if isinstance(work, Embedding):
            expected = _VECTORS
        before, messages, after = self._body(
            work, form, endpoint=endpoint, stream=stream, place=place, serving_class=serving_class, opening=opening
        )
        body_bytes = len(before) + len(messages) + len(after)
        head = heads[endpoint if form is None else None]
        exchange = self._exchange(
            b"%b%b\r\n\r\n%b%b%b" % (head, digits(body_bytes), before, messages, after),
            expected=expected,
            last=stream and self.traits.closes_after_stream,
            sink=sink,
            asker=asker,
            tally=tally,
            max_body_bytes=None if stream else self._most_bytes(work, body_bytes),
            begun=self._begun(work, stream=stream),
        )
        exchange.start()
        return exchange

    def wants_opening(self, work: Work) -> bool:
        """Whether ``opening_for`` may have something to tell."""
        if not self.traits.opens_calls or isinstance(work, Embedding) or work.tools is None:
            return False
        return wants_opening(work)

    async def opening_for(self, work: Work) -> str:
        """How the answer to ``work`` has to begin to be the call that it must be; nothing where the engine sees to that
        by itself, or it is not known. Asks the engine, the first time."""
        if not self.wants_opening(work):
            return ""
        if self._opening is None:
            try:
                self._opening = await self._found_opening()
            except EngineUnavailable:
                return ""  # who asks it for the answer will be told
        return self._opening

    async def _found_opening(self) -> str:
        for said, called in trials():
            try:
                found = opening_of(await self._rendered(said), await self._rendered(called))
            except InvalidRequest:
                continue  # a template that does not know of tools
            if found:
                return found
        return ""

    async def _rendered(self, conversation: bytes) -> str:
        rendered = await self.call("POST", "/apply-template", conversation, timeout_s=_TEMPLATE_TIMEOUT_S)
        return _read(rendered, Rendered).prompt

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
            opening = await self.opening_for(work)
            parts = self._body(work, None, endpoint=endpoint, stream=False, place=CachePlace(), opening=opening)
            body = b"%b%b%b" % parts
            counted = await self.call("POST", "/v1/chat/completions/input_tokens", body, timeout_s=timeout_s)
            return _read(counted, InputTokens).input_tokens
        body = msgspec.json.encode({"content": work.prompt, "add_special": True})
        return len(_read(await self.call("POST", "/tokenize", body, timeout_s=timeout_s), Tokens).tokens)

    async def count_messages(self, work: Generation, *, timeout_s: float) -> int | None:
        """As ``count_prompt``, of a conversation that may stand in Anthropic's form as well: in the form in which it
        would be sent. None from an engine that cannot count. Raises as ``count_prompt`` does."""
        counts, path = self.traits.counts_prompts, self.traits.count_path
        form = form_to_pass(work, traits=self.traits, stream=True) if counts else work.anthropic
        if path is not None and form is not None:
            try:
                body = count_body(work, form, served_model=self._served_model)
                return _read(await self.call("POST", path, body, timeout_s=timeout_s), InputTokens).input_tokens
            except EngineUnavailable:
                pass  # an older one may know no such path
        return await self.count_prompt(work, endpoint=Endpoint.CHAT, timeout_s=timeout_s) if counts else None

    async def call(self, method: str, path: str, body: bytes = b"", *, timeout_s: float) -> bytes:
        """A small request beside inference (health, metrics, erasing a slot): the body of its 200.

        Raises what the engine's refusal stands for, and EngineUnavailable when it does not answer in time.
        """
        exchange = self._exchange(
            b"%b%d\r\n\r\n%b" % (self._head(method, path, is_last=False), len(body), body),
            expected=Expectation.BYTES,
            last=False,
            sink=NO_EVENTS,
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
        work: Work,
        form: AnthropicForm | None,
        *,
        endpoint: Endpoint,
        stream: bool,
        place: CachePlace,
        serving_class: ServingClass = ServingClass.STANDARD,
        opening: str = "",
    ) -> tuple[bytes, bytes, bytes]:
        """In pieces, as ``generation_parts``."""
        served_model, traits = self._served_model, self.traits
        if isinstance(work, Embedding):
            return embedding_body(work, served_model=served_model), b"", b""
        if form is not None:
            body = messages_body(work, form, traits=traits, served_model=served_model, stream=stream, place=place)
            return body, b"", b""
        if work.messages is None:
            start = self._prompt_stream_start if stream else self._prompt_start
        else:
            start = self._stream_start if stream else self._start
        return generation_parts(
            work,
            endpoint=endpoint,
            family=self.family,
            traits=traits,
            start=start,
            stream=stream,
            place=place,
            serving_class=serving_class,
            opening=opening,
        )

    def _begun(self, work: Work, *, stream: bool) -> str:
        """What a whole answer will repeat of the prompt."""
        if stream or not self.traits.repeats_beginning or isinstance(work, Embedding) or work.messages is None:
            return ""
        return begun_by_client(work.messages)

    def _most_bytes(self, work: Work, asked_bytes: int) -> int:
        """What a whole answer may need, where its tokens are bounded. Some engines say the prompt again."""
        if isinstance(work, Embedding) or work.max_tokens is None or work.echo:
            return self._limits.max_body_bytes
        each = _TOKEN_BYTES + (_LOGPROB_BYTES * (1 + work.top_logprobs) if work.logprobs else 0)
        return min(self._limits.max_body_bytes, _ENVELOPE_BYTES + 8 * asked_bytes + each * work.max_tokens)

    def _inference_heads(self, *, is_last: bool) -> dict[Endpoint | None, bytes]:
        """How requests for inference begin, by their endpoint; None: those in Anthropic's form."""
        paths = dict(_PATHS)
        if self.traits.messages_path is not None:
            paths[None] = self.traits.messages_path
        return {endpoint: self._head("POST", path, is_last=is_last) for endpoint, path in paths.items()}

    def _head(self, method: str, path: str, *, is_last: bool) -> bytes:
        """How a request begins, up to the length of its body."""
        closing = "Connection: close\r\n" if is_last else ""
        line = f"{method} {self.address.base_path}{path} HTTP/1.1"
        return f"{line}\r\n{self._headers}{closing}Content-Length: ".encode("latin-1")

    def _exchange(
        self,
        request: bytes,
        *,
        expected: Expectation,
        last: bool,
        sink: EventSink,
        tally: Tally,
        asker: Asker = NOBODY,
        max_body_bytes: int | None = None,
        begun: str = "",
    ) -> Exchange:
        return Exchange(
            request,
            wire=self._connections,
            last=last,
            expected=expected,
            sink=sink,
            asker=asker,
            tally=tally,
            limits=self._limits,
            served_model=self._served_model,
            max_body_bytes=max_body_bytes,
            begun=begun,
        )
