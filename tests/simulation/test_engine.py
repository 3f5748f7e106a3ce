"""The simulated engine keeps its described rates, and gives back all that it takes."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.simulation.jobs import NotedJob, engine_of

from servery.core.serving_path import ServingClass
from servery.simulation.agenda import Agenda


def test_prompts_are_computed_one_after_another() -> None:
    """Two of 500 tokens at 1,000 a second: the second's first token comes after a second."""
    agenda = Agenda()
    engine = engine_of(agenda)
    jobs = [NotedJob(agenda, blocks=tuple(range(start, start + 5))) for start in (0, 10)]
    for job in jobs:
        engine.submit(job)
    agenda.run_out()
    assert [job.first_s for job in jobs] == pytest.approx([0.5, 1.0])
    assert engine.computed_tokens == 1000


def test_cached_tokens_cost_nothing() -> None:
    """What an earlier prompt has in common with a later one is computed once; of the same prompt, one token."""
    agenda = Agenda()
    engine = engine_of(agenda)
    first, second, third = (NotedJob(agenda, blocks=blocks) for blocks in ((1, 2, 3), (1, 2, 9), (1, 2, 9)))
    for job in (first, second, third):
        engine.submit(job)
    agenda.run_out()
    assert [job.cached_tokens for job in (first, second, third)] == [0, 200, 299]
    assert third.first_s == pytest.approx(0.401)


def test_streams_slow_each_other_down() -> None:
    """Alone 10 tokens a second, 5 at the full number of 2: eleven tokens of each of two take 2 seconds, not 1."""
    agenda = Agenda()
    engine = engine_of(agenda, decode_tokens_per_s_full=5.0, sequences=2, prefill_tokens_per_s=1e9)
    jobs = [NotedJob(agenda, blocks=(number,), generated_tokens=11) for number in range(2)]
    for job in jobs:
        engine.submit(job)
    agenda.run_out()
    assert [job.ended_s for job in jobs] == pytest.approx([2.0, 2.0], abs=1e-3)


def test_chunked_prefill_slows_streams_and_is_slowed() -> None:
    """A step with a chunk of 100 tokens takes 0.1 s and the streams' 0.1 s: both go at half their speed."""
    agenda = Agenda()
    engine = engine_of(agenda, prefill_chunk_tokens=100)
    stream = NotedJob(agenda, blocks=(1,), generated_tokens=31)
    engine.submit(stream)
    agenda.run_until(0.1)
    prompt = NotedJob(agenda, blocks=tuple(range(10, 20)))
    engine.submit(prompt)
    agenda.run_out()
    assert prompt.first_s == pytest.approx(0.1 + 2.0)
    assert stream.ended_s == pytest.approx(0.1 + 2.0 + (30 - 10) / 10)


def test_whole_prompts_share_a_step() -> None:
    """A stream emits every 0.1 s, from 0.1 s on. Prompts of 100 and 300 tokens that come within a step begin with the
    next, which takes 0.4 s and 0.1 s for the stream: all three are done with it at once. What comes in the midst of it
    waits for its end."""
    agenda = Agenda()
    engine = engine_of(agenda, whole_prompts=True)
    stream = NotedJob(agenda, blocks=(1,), generated_tokens=11)
    prompts = [NotedJob(agenda, blocks=blocks) for blocks in ((10,), (20, 21, 22), (30,))]
    engine.submit(stream)
    for at_s, prompt in zip((0.12, 0.17, 0.3), prompts, strict=True):
        agenda.at(at_s, partial(engine.submit, prompt))
    agenda.run_out()
    assert [prompt.first_s for prompt in prompts] == pytest.approx([0.7, 0.7, 0.9])
    assert stream.ended_s == pytest.approx(0.2 + 0.5 + 0.2 + 7 * 0.1)


def test_a_whole_step_goes_on_without_a_prompt_that_was_aborted() -> None:
    """Nothing of it is cached, and who waits is begun when the step ends, together."""
    agenda = Agenda()
    engine = engine_of(agenda, whole_prompts=True)
    cut, other, later = (NotedJob(agenda, blocks=blocks) for blocks in ((1, 2), (3,), (1, 2)))
    engine.submit(cut)
    agenda.at(0.05, partial(engine.submit, other))
    agenda.at(0.1, partial(engine.abort, cut))
    agenda.at(0.15, partial(engine.submit, later))
    agenda.run_out()
    assert cut.first_s is None
    assert [other.first_s, later.first_s] == pytest.approx([0.5, 0.5])
    assert later.cached_tokens == 0


def test_who_finds_no_memory_waits() -> None:
    """With room for one of two, the second begins when the first has ended."""
    agenda = Agenda()
    engine = engine_of(agenda, kv_tokens=300)
    jobs = [NotedJob(agenda, blocks=(number, number + 1), generated_tokens=11) for number in (0, 10)]
    for job in jobs:
        engine.submit(job)
    agenda.run_until(0.5)
    assert (engine.load().running, engine.load().waiting) == (1, 1)
    agenda.run_out()
    assert jobs[0].ended_s == pytest.approx(1.2)
    assert jobs[1].first_s == pytest.approx(1.4)


def test_an_engine_that_honours_priorities_takes_priority_first() -> None:
    """Of two that wait."""
    agenda = Agenda()
    engine = engine_of(agenda, honours_priorities=True)
    kinds = (ServingClass.STANDARD, ServingClass.STANDARD, ServingClass.PRIORITY)
    jobs = [NotedJob(agenda, blocks=(number,), serving_class=kind) for number, kind in enumerate(kinds)]
    for job in jobs:
        engine.submit(job)
    agenda.run_out()
    assert sorted(range(3), key=lambda place: jobs[place].first_s or 0.0) == [0, 2, 1]


def test_what_is_aborted_while_it_is_computed_is_cached_as_far_as_it_was() -> None:
    """After 0.25 s of a prompt of 0.5 s, two of its five blocks are there."""
    agenda = Agenda()
    engine = engine_of(agenda)
    job, other = NotedJob(agenda, blocks=(1, 2, 3, 4, 5)), NotedJob(agenda, blocks=(1, 2, 3, 4, 6))
    engine.submit(job)
    agenda.run_until(0.25)
    engine.abort(job)
    engine.submit(other)
    agenda.run_out()
    assert job.first_s is None
    assert other.cached_tokens == 200


def test_what_dies_breaks_and_forgets() -> None:
    """All three kinds of jobs in hand are told, once, and the cache is empty afterwards."""
    agenda = Agenda()
    engine = engine_of(agenda)
    jobs = [NotedJob(agenda, blocks=(number,), generated_tokens=100) for number in range(3)]
    for job in jobs:
        engine.submit(job)
    agenda.run_until(0.15)
    engine.die()
    agenda.run_out()
    assert [job.broke_s for job in jobs] == [0.15] * 3
    assert [job.ended_s for job in jobs] == [None] * 3
    assert len(engine.cache) == 0
    engine.check_integrity()


def test_a_slower_engine_takes_longer() -> None:
    """At a quarter of its speed from the middle of a prompt on."""
    agenda = Agenda()
    engine = engine_of(agenda)
    job = NotedJob(agenda, blocks=tuple(range(10)))
    engine.submit(job)
    agenda.run_until(0.5)
    engine.slow(0.25)
    agenda.run_out()
    assert job.first_s == pytest.approx(2.5)


@given(
    st.lists(
        st.tuples(st.floats(0, 5), st.integers(1, 6), st.integers(0, 3), st.integers(1, 30), st.booleans()),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from([{}, {"prefill_chunk_tokens": 50}, {"whole_prompts": True}]),
    st.sampled_from([None, 1_200]),
)
def test_every_job_ends_or_was_aborted(
    jobs: list[tuple[float, int, int, int, bool]], steps: dict[str, object], kv_tokens: int | None
) -> None:
    """Whatever comes when, of whatever size: nothing is forgotten, nothing is counted twice, and no prompt is computed
    faster than the engine can."""
    agenda = Agenda()
    rates = {"decode_tokens_per_s_full": 4.0, "kv_tokens": kv_tokens}
    engine = engine_of(agenda, sequences=3, **rates, **steps)
    made = []
    for at_s, length, family, generated, is_cut in jobs:
        blocks = tuple(family * 100 + place for place in range(length))
        job = NotedJob(agenda, blocks=blocks, generated_tokens=generated)
        agenda.at(at_s, partial(engine.submit, job))
        if is_cut:
            agenda.at(at_s + 1.0, partial(engine.abort, job))
        made.append((job, at_s, is_cut))
    agenda.run_out()
    engine.check_integrity()
    assert engine.load().running == engine.load().waiting == 0
    for job, at_s, is_cut in made:
        assert (job.ended_s is not None) or is_cut
        if job.first_s is not None:
            assert job.first_s >= at_s + (job.request.prompt_tokens - job.cached_tokens) / 1000 - 1e-6
