"""Counting tokens: the engine's report where there is one, a marked estimate where not."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from servery.core.usage import Usage
from servery.engines.reported_usage import ReportedUsage
from servery.engines.tally import Tally

COUNTS = st.none() | st.integers(min_value=-5, max_value=1_000)


def reported(text: str) -> ReportedUsage:
    return msgspec.json.decode(text, type=ReportedUsage)


def usage_of(report: ReportedUsage) -> Usage:
    tally = Tally(prompt_tokens_guess=99)
    tally.told_usage(report)
    return tally.usage()


def test_a_full_report_is_taken_as_it_is() -> None:
    """Cached and reasoning tokens come from the details; nothing is estimated."""
    tally = Tally(prompt_tokens_guess=99)
    tally.told_usage(
        reported(
            '{"prompt_tokens":12,"completion_tokens":6,"total_tokens":18,"prompt_tokens_details":{"cached_tokens":11},'
            '"completion_tokens_details":{"reasoning_tokens":4,"audio_tokens":0}}'
        )
    )
    assert tally.usage() == Usage(12, 11, 6, 4)
    assert tally.prompt == (12, 11)


def test_missing_and_null_details_are_nothing_cached() -> None:
    """Engines leave details out, or send null for them."""
    for text in (
        '{"prompt_tokens":3,"completion_tokens":1}',
        '{"prompt_tokens":3,"completion_tokens":1,"prompt_tokens_details":null,"completion_tokens_details":null}',
        '{"prompt_tokens":3,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":null}}',
    ):
        assert usage_of(reported(text)) == Usage(3, 0, 1)


def test_an_embedding_generates_nothing() -> None:
    """A report without generated tokens is whole where none are generated."""
    assert usage_of(reported('{"prompt_tokens":3,"total_tokens":3}')) == Usage(3, 0, 0)


def test_a_contradiction_is_clamped_and_marked() -> None:
    """More cached than there is prompt: all of it was cached, and the value is marked as estimated."""
    told = reported('{"prompt_tokens":3,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":9}}')
    assert usage_of(told) == Usage(3, 3, 1, estimated=True)


@given(prompt=COUNTS, cached=COUNTS, generated=COUNTS, reasoning=COUNTS)
def test_whatever_an_engine_reports_makes_a_valid_usage(
    prompt: int | None, cached: int | None, generated: int | None, reasoning: int | None
) -> None:
    """No report, however contradictory, breaks the invariants of ``Usage``."""
    report = {
        "prompt_tokens": prompt,
        "completion_tokens": generated,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }
    usage = usage_of(msgspec.convert(report, ReportedUsage))
    assert 0 <= usage.cached_prompt_tokens <= usage.prompt_tokens
    assert 0 <= usage.reasoning_tokens <= usage.generated_tokens


def test_without_a_report_frames_are_counted_and_marked() -> None:
    """One token a frame, and the guess of the prompt."""
    tally = Tally(prompt_tokens_guess=7)
    tally.frames = 3
    assert tally.usage() == Usage(7, 0, 3, estimated=True)
    assert not tally.is_reported
    assert tally.prompt is None


def test_the_prompt_that_was_told_replaces_the_guess() -> None:
    """Prompt progress is known before any usage."""
    tally = Tally(prompt_tokens_guess=7)
    tally.told_prompt(prompt_tokens=20, cached_prompt_tokens=30)
    assert tally.prompt == (20, 20)
    assert tally.usage() == Usage(20, 20, 0, estimated=True)


def test_a_report_without_a_prompt_is_no_report() -> None:
    """An empty usage object does not make an answer free: it is counted as if there was none."""
    tally = Tally(prompt_tokens_guess=7)
    tally.frames = 3
    tally.told_usage(reported("{}"))
    assert tally.usage() == Usage(7, 0, 3, estimated=True)


@given(st.integers(min_value=101, max_value=10**400), st.booleans())
def test_a_count_that_cannot_be_is_no_report(count: int, of_prompt: bool) -> None:
    """However an engine tells it: what was seen to pass is counted, and marked as estimated."""
    tally = Tally(prompt_tokens_guess=9, most_tokens=100)
    tally.frames = 3
    prompt, generated = (count, 5) if of_prompt else (20, count)
    told = ReportedUsage(prompt_tokens=prompt, completion_tokens=generated)
    tally.told_so_far(told)
    tally.told_prompt(prompt_tokens=count, cached_prompt_tokens=count)
    tally.told_usage(told)
    assert not tally.is_reported
    assert tally.usage() == (Usage(9, 0, 5, estimated=True) if of_prompt else Usage(20, 0, 3, estimated=True))


def test_the_most_that_can_be_is_believed() -> None:
    """To the token."""
    tally = Tally(prompt_tokens_guess=9, most_tokens=100)
    tally.told_usage(ReportedUsage(prompt_tokens=100, completion_tokens=100))
    assert tally.usage() == Usage(100, 0, 100)
