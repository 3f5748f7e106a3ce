"""What a model fills in, and what it refuses."""

from datetime import date
from typing import Any

import msgspec
import pytest

from servery.catalog.default_sampling import DefaultSampling
from servery.catalog.model import Capability, Model
from servery.catalog.offer import Offer
from servery.catalog.price_row import ModelPrices, PricePerToken, PriceRow
from servery.core.engine_family import EngineFamily
from servery.core.errors import InvalidRequest
from servery.core.inference import Embedding, Generation, InferenceRequest
from servery.core.price import Price
from servery.core.sampling import Sampling
from servery.core.serving_path import Endpoint, ServingPath
from servery.core.structure import Structure, StructureKind
from servery.engines.family import traits_of
from servery.serving.fitting import DEFAULT_MAX_TOKENS, fitted

MESSAGES = b"[]"
HONOURS = traits_of(EngineFamily.LLAMA_CPP).honours


def model(*capabilities: Capability, context_length: int = 4096) -> Model:
    row = PriceRow(input=PricePerToken(2), output=PricePerToken(2))
    return Model(
        name="accounts/servery/models/m",
        pool="p",
        context_length=context_length,
        capabilities=frozenset(capabilities or {Capability.CHAT}),
        prices=ModelPrices(standard=row),
        created=date(2026, 1, 1),
        sampling=DefaultSampling(temperature=0.7, top_k=40),
    )


def fit(work: Generation | Embedding, to: Model, *, truncate: bool = True, honours: frozenset[str] = HONOURS) -> Any:
    request = InferenceRequest(
        request_id="r", endpoint=Endpoint.CHAT, model=to.name, work=(work,), truncate_to_context=truncate
    )
    offer = Offer(to.name, to, ServingPath.STANDARD, to.pool, Price(2, 2, 2))
    return fitted(request, offer, honours, prompts=[one.prompt_bytes() for one in request.work])[0]


def test_the_models_sampling_fills_what_was_not_said() -> None:
    """Field by field; a zero is something that was said."""
    found = fit(Generation(messages=MESSAGES, sampling=Sampling(temperature=0.0, top_p=0.5)), model())
    assert found.sampling == Sampling(temperature=0.0, top_p=0.5, top_k=40)


@pytest.mark.parametrize(
    ("asked", "context_length", "found"),
    [(None, 4096, DEFAULT_MAX_TOKENS), (None, 512, 512), (100, 512, 100), (512, 512, 512), (9_999, 512, 512)],
)
def test_an_answers_length_is_bounded(asked: int | None, context_length: int, found: int) -> None:
    """By what was asked, by the model's context, and by a default."""
    generation = Generation(messages=MESSAGES, max_tokens=asked)
    assert fit(generation, model(context_length=context_length)).max_tokens == found


def test_a_length_beyond_the_context_is_refused_where_it_may_not_be_cut() -> None:
    """The client chose an error over a shorter answer."""
    with pytest.raises(InvalidRequest) as refusal:
        fit(Generation(messages=MESSAGES, max_tokens=513), model(context_length=512), truncate=False)
    assert refusal.value.param == "max_tokens"


def at_least(least: int, **fields: Any) -> Generation:
    return Generation(messages=MESSAGES, sampling=Sampling(min_tokens=least), **fields)


def test_a_least_length_passes_to_those_who_know_it() -> None:
    """And is cut with the longest answer that the context has room for."""
    honours = traits_of(EngineFamily.VLLM).honours
    assert fit(at_least(5, max_tokens=9), model(), honours=honours).sampling.min_tokens == 5
    assert fit(at_least(600, max_tokens=900), model(context_length=512), honours=honours).sampling.min_tokens == 512


def test_a_length_that_is_least_and_most_is_known_everywhere() -> None:
    """It is an answer that no end of sequence ends; unless something else could end it."""
    found = fit(at_least(9, max_tokens=9), model())
    assert (found.sampling.min_tokens, found.sampling.given["ignore_eos"], found.max_tokens) == (None, True, 9)
    for work in (
        at_least(8, max_tokens=9),
        at_least(9, max_tokens=9, stop=("x",)),
        at_least(9, max_tokens=9, structure=Structure(StructureKind.JSON_OBJECT)),
        at_least(9, max_tokens=9, tools=msgspec.Raw(b"[]")),
    ):
        with pytest.raises(InvalidRequest, match="not supported by the engine") as refusal:
            fit(work, model(*Capability))
        assert refusal.value.param == "min_tokens"


@pytest.mark.parametrize(("least", "most"), [(10, 9), (DEFAULT_MAX_TOKENS + 1, None)])
def test_the_least_is_no_more_than_the_most(least: int, most: int | None) -> None:
    """Whether the most is given or not; whatever the engine would make of it."""
    for family in EngineFamily:
        with pytest.raises(InvalidRequest) as refusal:
            fit(at_least(least, max_tokens=most), model(), honours=traits_of(family).honours)
        assert refusal.value.param == "min_tokens"


@pytest.mark.parametrize(
    ("fields", "capability"),
    [
        ({"tools": msgspec.Raw(b"[]")}, Capability.TOOLS),
        ({"structure": Structure(StructureKind.JSON_OBJECT)}, Capability.STRUCTURED_OUTPUT),
        ({"has_images": True}, Capability.IMAGES),
    ],
)
def test_a_capability_is_needed_for_what_it_is_about(fields: dict[str, Any], capability: Capability) -> None:
    """Refused by name without it, served with it."""
    generation = Generation(messages=MESSAGES, **fields)
    with pytest.raises(InvalidRequest, match=capability.value.replace("_", " ")):
        fit(generation, model())
    assert fit(generation, model(Capability.CHAT, capability)).max_tokens


def test_embeddings_pass_as_they_are_but_for_dimensions() -> None:
    """No engine that is known shortens vectors."""
    embedding = Embedding(inputs=("a",))
    assert fit(embedding, model(Capability.EMBEDDINGS)) is embedding
    with pytest.raises(InvalidRequest) as refusal:
        fit(Embedding(inputs=("a",), dimensions=8), model(Capability.EMBEDDINGS))
    assert refusal.value.param == "dimensions"
