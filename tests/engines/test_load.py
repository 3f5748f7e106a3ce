"""How busy an engine is, read from its metrics.

The text of vLLM 0.32 and of llama.cpp b11549 is cut from what these servers wrote. SGLang's is put together from the
names and labels that SGLang 0.5.23 was seen to write; no SGLang runs in any test.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.core.engine_family import EngineFamily
from servery.engines.load import EngineLoad, read_load

VLLM = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="tiny"} 4.0
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="tiny"} 2.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="tiny",reason="capacity"} 2.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="tiny",reason="deferred"} 0.0
vllm:kv_cache_usage_perc{engine="0",model_name="tiny"} 0.000946
vllm:prefix_cache_queries_total{engine="0",model_name="tiny"} 2116.0
vllm:prefix_cache_queries_created{engine="0",model_name="tiny"} 1.7952050996295462e+09
vllm:prefix_cache_hits_total{engine="0",model_name="tiny"} 96.0
vllm:external_prefix_cache_hits_total{engine="0",model_name="tiny"} 7.0
vllm:cache_config_info{block_size="32",engine="0",kv_cache_layout="None"} 1.0
"""

SGLANG = """\
sglang:num_running_reqs{model_name="m",priority="",tp_rank="0"} 6.0
sglang:num_running_reqs{model_name="m",priority="0",tp_rank="0"} 5.0
sglang:num_running_reqs{model_name="m",priority="1",tp_rank="0"} 1.0
sglang:num_queue_reqs{model_name="m",priority="",tp_rank="0"} 3.0
sglang:num_queue_reqs{model_name="m",priority="0",tp_rank="0"} 3.0
sglang:token_usage{model_name="m",tp_rank="0"} 0.25
sglang:cached_tokens_total{cache_source="device",model_name="m"} 40.0
sglang:cached_tokens_total{cache_source="host",model_name="m"} 2.0
sglang:prompt_tokens_total{model_name="m"} 100.0
"""

LLAMA_CPP = """\
# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed.
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 1024
llamacpp:prompt_tokens_cached_total 512
llamacpp:requests_processing 3
llamacpp:requests_deferred 1
"""


def load(text: str, family: EngineFamily) -> EngineLoad | None:
    return read_load(text, family, scraped_at_s=7.0)


def test_vllm() -> None:
    """Whole names only: a longer name is another metric."""
    assert load(VLLM, EngineFamily.VLLM) == EngineLoad(
        running=4,
        waiting=2,
        kv_usage=0.000946,
        prefix_cache_hits=96,
        prefix_cache_queries=2116,
        scraped_at_s=7.0,
    )


def test_the_size_of_the_cache() -> None:
    """vLLM tells blocks and their size as labels, of each scheduler; SGLang tells tokens."""
    blocks = 'vllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="1000"} 1.0\n'
    for text, tokens in ((VLLM, None), (blocks, 16_000), (blocks + blocks.replace('"0"', '"1"'), 32_000)):
        told = load("vllm:num_requests_running 1\n" + text, EngineFamily.VLLM)
        assert told is not None
        assert told.cache_tokens == tokens
    told = load(SGLANG + "sglang:max_total_num_tokens 5000\n", EngineFamily.SGLANG)
    assert told is not None
    assert told.cache_tokens == 5_000


def test_several_schedulers_behind_one_door_are_one() -> None:
    """vLLM tells each by its number: requests and tokens are added, of the shares the mean is taken."""
    both = VLLM + VLLM.replace('engine="0"', 'engine="1"').replace("0.000946", "0.5")
    told = load(both, EngineFamily.VLLM)
    assert told is not None
    assert (told.running, told.waiting, told.prefix_cache_hits, told.prefix_cache_queries) == (8, 4, 192, 4232)
    assert told.kv_usage == pytest.approx(0.250473)


def test_sglang_tells_a_total_beside_each_priority() -> None:
    """The total is taken, once."""
    assert load(SGLANG, EngineFamily.SGLANG) == EngineLoad(
        running=6, waiting=3, kv_usage=0.25, prefix_cache_hits=42, prefix_cache_queries=100, scraped_at_s=7.0
    )


def test_llama_cpp_counts_what_it_computed_and_what_it_had() -> None:
    """Queries are both; it does not tell how full its cache is."""
    assert load(LLAMA_CPP, EngineFamily.LLAMA_CPP) == EngineLoad(
        running=3, waiting=1, kv_usage=None, prefix_cache_hits=512, prefix_cache_queries=1536, scraped_at_s=7.0
    )


def test_what_is_missing_is_not_made_up() -> None:
    """Only without the running requests there is no load at all."""
    told = load('vllm:num_requests_running{engine="0"} 4', EngineFamily.VLLM)
    assert told == EngineLoad(running=4, waiting=0, scraped_at_s=7.0)
    assert load("llamacpp:requests_deferred 1\n", EngineFamily.LLAMA_CPP) is None
    assert load(VLLM, EngineFamily.SGLANG) is None
    assert load(VLLM, EngineFamily.OPENAI) is None
    assert load("", EngineFamily.VLLM) is None


def test_odd_lines_are_skipped() -> None:
    """What is no number is none; a share stays one; labels may hold anything."""
    odd = (
        'vllm:num_requests_running{model_name="a} b{",engine="0"} 2.0 1795205099\n'
        'vllm:num_requests_running{engine="1"} NaN\n'
        'vllm:num_requests_running{engine="2"} many\n'
        "vllm:num_requests_waiting +Inf\n"
        "vllm:kv_cache_usage_perc 1.5\n"
    )
    assert load(odd, EngineFamily.VLLM) == EngineLoad(running=2, waiting=0, kv_usage=1.0, scraped_at_s=7.0)


LINES = st.sampled_from([*VLLM.splitlines(), *SGLANG.splitlines(), *LLAMA_CPP.splitlines()])


@given(st.lists(LINES | st.text()).map("\n".join), st.sampled_from(EngineFamily))
def test_any_text_is_read(text: str, family: EngineFamily) -> None:
    """Nothing that an engine writes is an error, and a share stays one."""
    told = load(text, family)
    assert told is None or told.kv_usage is None or 0 <= told.kv_usage <= 1


def test_how_fast_prompts_were_computed() -> None:
    """Tokens and seconds since the start, of vLLM's histograms and llama.cpp's counters; SGLang tells none."""
    vllm = VLLM + (
        'vllm:request_prefill_kv_computed_tokens_sum{engine="0"} 2020.0\n'
        'vllm:request_prefill_time_seconds_bucket{engine="0",le="+Inf"} 9.0\n'
        'vllm:request_prefill_time_seconds_sum{engine="0"} 0.5\n'
    )
    llama_cpp = LLAMA_CPP + "llamacpp:prompt_seconds_total 2.5\n"
    for text, family, wanted in (
        (vllm, EngineFamily.VLLM, (2020.0, 0.5)),
        (VLLM, EngineFamily.VLLM, None),
        (llama_cpp, EngineFamily.LLAMA_CPP, (1024.0, 2.5)),
        (SGLANG, EngineFamily.SGLANG, None),
    ):
        told = load(text, family)
        assert told is not None
        assert told.prefilled == wanted


@pytest.mark.parametrize("absurd", ["-5", "-1e300", "1e300", "NaN", "-Inf", "+Inf", "0x10", ""])
def test_absurd_numbers_are_none(absurd: str) -> None:
    """Nor do several of them together make one."""
    for text, family in ((VLLM, EngineFamily.VLLM), (SGLANG, EngineFamily.SGLANG), (LLAMA_CPP, EngineFamily.LLAMA_CPP)):
        lines = [line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#")]
        named = "\n".join(f"{name} {absurd}" for name in (*lines, *lines, "sglang:max_total_num_tokens"))
        assert load(named, family) is None
        told = load(f"{text}\n{named}", family)
        assert told == load(text, family)


def test_a_cache_of_nothing_is_not_believed() -> None:
    """Its size is unknown."""
    told = load(SGLANG + "sglang:max_total_num_tokens 0\n", EngineFamily.SGLANG)
    assert told is not None
    assert told.cache_tokens is None
