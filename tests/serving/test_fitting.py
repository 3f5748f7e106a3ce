"""What a model fills in, and what it refuses."""

from datetime import date
from typing import Any

import msgspec
import pytest

from servery.catalog.model import Capability, DefaultSampling, Model
from servery.catalog.price_row import ModelPrices, PricePerToken, PriceRow
from servery.core.engine_family import EngineFamily
from servery.core.errors import InvalidRequest
from servery.core.inference import Embedding, Generation, InferenceRequest
from servery.core.sampling import Sampling
from servery.core.serving_path import Endpoint
from servery.core.structure import Structure, StructureKind
from servery.engines.family import traits_of
from servery.serving.fitting import DEFAULT_MAX_TOKENS, fitted

MESSAGES = msgspec.Raw(b"[]")
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


def fit(work: Generation | Embedding, to: Model, *, truncate: bool = True) -> Any:
    request = InferenceRequest(
        request_id="r", endpoint=Endpoint.CHAT, model=to.name, work=(work,), truncate_to_context=truncate
    )
    return fitted(request, to, HONOURS, prompts=[one.prompt_bytes() for one in request.work])[0]


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
