"""How busy an engine is, read from its own metrics.

    what             vLLM                        SGLang                    llama.cpp
    running          vllm:num_requests_running   sglang:num_running_reqs   llamacpp:requests_processing
    waiting          vllm:num_requests_waiting   sglang:num_queue_reqs     llamacpp:requests_deferred
    KV use, 0 to 1   vllm:kv_cache_usage_perc    sglang:token_usage        tells none
    cache hits       vllm:prefix_cache_hits      sglang:cached_tokens      llamacpp:prompt_tokens_cached
    cache queries    vllm:prefix_cache_queries   sglang:prompt_tokens      the hits and llamacpp:prompt_tokens
    cache size       vllm:cache_config_info      sglang:max_total_num_tokens   tells none
    prompts, tokens  vllm:request_prefill_kv_    tells none                llamacpp:prompt_tokens
                       computed_tokens
    and seconds      vllm:request_prefill_time_  tells none                llamacpp:prompt_seconds
                       seconds

Hits and queries are counters of tokens, whose names end in ``_total``. Several schedulers behind one door (data
parallel) are added up; of shares the mean is taken. SGLang tells some gauges once in all and once again for each
priority: the series with a priority are left out.
"""

import re

import msgspec

from servery.core.engine_family import EngineFamily


class EngineLoad(msgspec.Struct, frozen=True, kw_only=True):
    """Requests, a share from 0 to 1, tokens since the engine's start, and the tokens that its KV cache holds; None is
    what the engine does not tell. ``prefilled`` are the prompt tokens that it has computed since its start, and the
    seconds that this took, each prompt for itself.

    ``scraped_at_s`` is a monotonic reading; ``is_stale`` says that it could not be renewed for too long since.
    """

    running: int
    waiting: int
    kv_usage: float | None = None
    prefix_cache_hits: int | None = None
    prefix_cache_queries: int | None = None
    cache_tokens: int | None = None
    prefilled: tuple[float, float] | None = None
    scraped_at_s: float
    is_stale: bool = False


class _Names(msgspec.Struct, frozen=True, kw_only=True):
    """``queries`` are added up; ``prefilled`` are tokens and seconds."""

    running: str
    waiting: str
    kv_usage: str | None
    hits: str
    queries: tuple[str, ...]
    cache_tokens: str | None = None
    prefilled: tuple[str, str] | None = None


_NAMES = {
    EngineFamily.VLLM: _Names(
        running="vllm:num_requests_running",
        waiting="vllm:num_requests_waiting",
        kv_usage="vllm:kv_cache_usage_perc",
        hits="vllm:prefix_cache_hits_total",
        queries=("vllm:prefix_cache_queries_total",),
        prefilled=("vllm:request_prefill_kv_computed_tokens_sum", "vllm:request_prefill_time_seconds_sum"),
    ),
    EngineFamily.SGLANG: _Names(
        running="sglang:num_running_reqs",
        waiting="sglang:num_queue_reqs",
        kv_usage="sglang:token_usage",
        hits="sglang:cached_tokens_total",
        queries=("sglang:prompt_tokens_total",),
        cache_tokens="sglang:max_total_num_tokens",
    ),
    EngineFamily.LLAMA_CPP: _Names(
        running="llamacpp:requests_processing",
        waiting="llamacpp:requests_deferred",
        kv_usage=None,
        hits="llamacpp:prompt_tokens_cached_total",
        queries=("llamacpp:prompt_tokens_total", "llamacpp:prompt_tokens_cached_total"),
        prefilled=("llamacpp:prompt_tokens_total", "llamacpp:prompt_seconds_total"),
    ),
}

_MOST = 1e15
"""No engine computes so many tokens, nor holds so many, before its counters begin anew."""
_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?[ \t]+(\S+)", re.MULTILINE)
_CACHE = re.compile(r"^vllm:cache_config_info\{(.*)\}", re.MULTILINE)
_BLOCK_SIZE = re.compile(r'(?:^|,)block_size="(\d{1,9})"')
_BLOCKS = re.compile(r'(?:^|,)num_gpu_blocks="(\d{1,9})"')
_PRIORITY = re.compile(r'(?:^|,)priority="[^"]')


def read_load(text: str, family: EngineFamily, *, scraped_at_s: float) -> EngineLoad | None:
    """The load in ``text``, Prometheus' text format; None where it does not even tell what is running."""
    names = _NAMES.get(family)
    if names is None:
        return None
    wanted = {names.running, names.waiting, names.kv_usage, names.hits, *names.queries, names.cache_tokens}
    wanted.update(names.prefilled or ())
    told = _samples(text, wanted)
    if names.running not in told:
        return None
    shares = told.get(names.kv_usage, ())
    return EngineLoad(
        running=round(sum(told[names.running])),
        waiting=round(sum(told.get(names.waiting, ()))),
        kv_usage=min(1.0, max(0.0, sum(shares) / len(shares))) if shares else None,
        prefix_cache_hits=_tokens(told, (names.hits,)),
        prefix_cache_queries=_tokens(told, names.queries),
        cache_tokens=(_block_tokens(text) if family is EngineFamily.VLLM else _tokens(told, (names.cache_tokens,)))
        or None,
        prefilled=_prefilled(told, names.prefilled),
        scraped_at_s=scraped_at_s,
    )


def _samples(text: str, wanted: set[str | None]) -> dict[str | None, list[float]]:
    """The numbers of each wanted name. What is not a number, is below nothing or beyond all measure, or belongs to one
    priority, is skipped."""
    found: dict[str | None, list[float]] = {}
    for name, labels, value in _SAMPLE.findall(text):
        if name not in wanted or _PRIORITY.search(labels):
            continue
        try:
            number = float(value)
        except ValueError:
            continue
        if 0.0 <= number <= _MOST:
            found.setdefault(name, []).append(number)
    return found


def _block_tokens(text: str) -> int | None:
    """vLLM tells its blocks as labels, of each scheduler."""
    sizes = [
        int(size[1]) * int(count[1])
        for labels in _CACHE.findall(text)
        if (size := _BLOCK_SIZE.search(labels)) and (count := _BLOCKS.search(labels))
    ]
    return sum(sizes) or None


def _tokens(told: dict[str | None, list[float]], names: tuple[str | None, ...]) -> int | None:
    if any(name not in told for name in names):
        return None
    return round(sum(sum(told[name]) for name in names))


def _prefilled(told: dict[str | None, list[float]], names: tuple[str, str] | None) -> tuple[float, float] | None:
    if names is None or any(name not in told for name in names):
        return None
    tokens, seconds = (sum(told[name]) for name in names)
    return tokens, seconds
