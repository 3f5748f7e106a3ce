"""The table of differences between engines that speak OpenAI's protocol. Everything else about them is alike."""

from typing import assert_never

from servery.core.engine_family import EngineFamily
from servery.core.engine_features import honoured_by
from servery.core.value import Value


class Traits(Value):
    """What one family does in its own way.

    ``slots``: the prompt cache is divided into slots that the caller chooses and can have emptied.
    ``closes_after_stream``: announces keep-alive on a stream and then closes, so its connection is not used again.
    ``counts_prompts``: counts a prompt's tokens without generating.
    ``tells_prompt_progress``: can report prompt and cached tokens before the first generated one.
    ``cache_salt``: keeps prompt-cache entries of different salts apart.
    ``context_reserve_tokens``: tokens of its context that it never fills.
    ``earlier_priority``: what the field ``priority`` holds for a request that goes before others: of vLLM the smaller
    number goes first, of SGLang the larger; 0 where the engine knows none.
    ``messages_path``: where it speaks Anthropic's messages and loses nothing of ours there, except a priority, which no
    engine takes in that form. None where it does not, or where it drops what keeps tenants apart: llama.cpp ignores the
    slot there; of SGLang it is not known whether it takes a cache salt.
    ``count_path``: where it counts the tokens of Anthropic's messages. SGLang's is known from its source alone.
    ``top_k_of_all``: what the field ``top_k`` holds for drawing from all tokens.
    ``metrics_path``: where it tells its load, in Prometheus' text format.
    ``opens_calls``: lets text go before a call that is required, so its answer is begun (``call_opening``).
    ``shows_unused_tools``: tells the model of tools that it must not use, and if it does, says its call as text.
    ``repeats_beginning``: a whole answer that continues an assistant's message begins with it; a stream does not.
    ``honours``: the optional features that work rather than being ignored (``core.engine_features``).
    """

    FIELDS = (
        "slots",
        "closes_after_stream",
        "counts_prompts",
        "tells_prompt_progress",
        "cache_salt",
        "context_reserve_tokens",
        "earlier_priority",
        "repeats_beginning",
        "opens_calls",
        "shows_unused_tools",
        "top_k_of_all",
        "messages_path",
        "count_path",
        "metrics_path",
        "health_path",
        "honours",
    )
    __slots__ = FIELDS

    def __init__(
        self,
        *,
        slots: bool = False,
        closes_after_stream: bool = False,
        counts_prompts: bool = False,
        tells_prompt_progress: bool = False,
        cache_salt: bool = False,
        context_reserve_tokens: int = 0,
        earlier_priority: int = 0,
        repeats_beginning: bool = False,
        opens_calls: bool = False,
        shows_unused_tools: bool = False,
        top_k_of_all: int = 0,
        messages_path: str | None = None,
        count_path: str | None = None,
        metrics_path: str | None = "/metrics",
        health_path: str = "/health",
        honours: frozenset[str] = frozenset(),
    ) -> None:
        self.slots = slots
        self.closes_after_stream = closes_after_stream
        self.counts_prompts = counts_prompts
        self.tells_prompt_progress = tells_prompt_progress
        self.cache_salt = cache_salt
        self.context_reserve_tokens = context_reserve_tokens
        self.earlier_priority = earlier_priority
        self.repeats_beginning = repeats_beginning
        self.opens_calls = opens_calls
        self.shows_unused_tools = shows_unused_tools
        self.top_k_of_all = top_k_of_all
        self.messages_path = messages_path
        self.count_path = count_path
        self.metrics_path = metrics_path
        self.health_path = health_path
        self.honours = honours


def traits_of(family: EngineFamily) -> Traits:
    """The row of the table for ``family``."""
    match family:
        case EngineFamily.LLAMA_CPP:
            return Traits(
                slots=True,
                closes_after_stream=True,
                counts_prompts=True,
                tells_prompt_progress=True,
                repeats_beginning=True,
                opens_calls=True,
                shows_unused_tools=True,
                honours=honoured_by(family),
            )
        case EngineFamily.VLLM:
            return Traits(
                counts_prompts=True,
                cache_salt=True,
                earlier_priority=-1,
                messages_path="/v1/messages",
                count_path="/v1/messages/count_tokens",
                honours=honoured_by(family),
            )
        case EngineFamily.SGLANG:
            return Traits(
                cache_salt=True,
                context_reserve_tokens=1,
                earlier_priority=1,
                top_k_of_all=-1,
                count_path="/v1/messages/count_tokens",
                honours=honoured_by(family),
            )
        case EngineFamily.OPENAI:
            return Traits(
                metrics_path=None,
                health_path="/v1/models",
                honours=honoured_by(family),
            )
        case _:
            assert_never(family)
