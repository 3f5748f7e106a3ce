"""``POST /embeddings``: the request."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from servery.core.caller import Caller
from servery.core.errors import InvalidRequest
from servery.core.inference import Embedding, InferenceRequest
from servery.core.serving_path import Endpoint
from servery.web.openai.attribution import cost_labels, isolation_key, session
from servery.web.openai.embeddings_presenter import EmbeddingForm, EmbeddingsPresenter
from servery.web.openai.json_body import decode_body
from servery.web.presenter import ParsedCall

INPUTS_MAX = 2_048
_TokenId = Annotated[int, Meta(ge=0, lt=2**31)]


class EmbeddingsBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    model: Annotated[str, Meta(min_length=1, max_length=512)]
    input: str | Annotated[list[str | _TokenId | list[_TokenId]], Meta(min_length=1)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1, lt=2**31)] | None = None
    normalize: bool | None = None
    perf_metrics_in_response: bool | None = None
    service_tier: str | None = None
    user: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_isolation_key: str | None = None
    metadata: dict[str, str] | None = None

    # Not supported.
    prompt_template: object = None
    return_logits: object = None


_DECODER = msgspec.json.Decoder(EmbeddingsBody)
_UNSUPPORTED: Mapping[str, tuple[object, ...]] = {"prompt_template": ("",), "return_logits": (False, [])}


def parse_embeddings(body: bytes, headers: dict[str, str], request_id: str, caller: Caller) -> ParsedCall:
    """What is asked, and how to show the answer. ``headers`` have lower-case names. Raises InvalidRequest as
    ``ChatParser`` does. ``normalize`` scales the engine's vectors to length one; otherwise they are as it gives them.
    """
    fields = decode_body(body, _DECODER)
    for name, off in _UNSUPPORTED.items():
        if (value := getattr(fields, name)) is not None and value not in off:
            raise InvalidRequest(f"{name} is not supported.", param=name)
    request = InferenceRequest(
        request_id=request_id,
        endpoint=Endpoint.EMBEDDINGS,
        model=fields.model,
        work=(Embedding(inputs=_inputs(fields.input), dimensions=fields.dimensions),),
        priority=fields.service_tier == "priority",
        session=session(headers, fields.prompt_cache_key or fields.user),
        isolation_key=isolation_key(headers, fields.prompt_cache_isolation_key),
        cost_labels=cost_labels(headers),
    )
    form = EmbeddingForm(
        base64=fields.encoding_format == "base64",
        normalize=bool(fields.normalize),
        perf_metrics=bool(fields.perf_metrics_in_response),
    )
    return ParsedCall(request, EmbeddingsPresenter(request_id, fields.model, form))


def _inputs(given: str | list[str | int | list[int]]) -> tuple[str, ...] | tuple[tuple[int, ...], ...]:
    """Raises InvalidRequest for inputs that are empty, mixed, or too many."""
    if isinstance(given, str):
        given = [given]
    texts = tuple(item for item in given if isinstance(item, str))
    tokens = tuple(item for item in given if isinstance(item, int))
    lists = tuple(tuple(item) for item in given if isinstance(item, list))
    found = [kind for kind in (texts, (tokens,) if tokens else (), lists) if kind]
    if len(found) != 1 or not all(found[0]):
        raise InvalidRequest(
            "The input is a text, a list of texts, a list of token ids, or a list of such lists; none is empty.",
            param="input",
        )
    if len(found[0]) > INPUTS_MAX:
        raise InvalidRequest(f"A request has at most {INPUTS_MAX} inputs.", param="input")
    return found[0]
