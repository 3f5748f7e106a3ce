"""``POST /completions``: the request."""

from typing import Final

from servery.core.caller import Caller
from servery.core.errors import InvalidRequest
from servery.core.inference import Generation
from servery.core.serving_path import Endpoint
from servery.core.value import changed
from servery.web.openai import asked
from servery.web.openai.asked import UNSUPPORTED
from servery.web.openai.body_reader import BodyReader
from servery.web.openai.completion_body import CompletionBody
from servery.web.openai.completions_presenter import CompletionsPresenter
from servery.web.openai.request_fields import CHOICES_MAX
from servery.web.openai.structured_output import structure
from servery.web.openai.terms import Terms
from servery.web.presenter import ParsedCall

_READER: Final = BodyReader(
    CompletionBody,
    {
        **UNSUPPORTED,
        "images": ([],),
        "reasoning_effort": ("none", False),
        "reasoning_history": (),
        "suffix": ("",),
        "thinking": ({"type": "disabled"},),
    },
)


def parse_completions(body: bytes, headers: dict[str, str], request_id: str, caller: Caller) -> ParsedCall:
    """What is asked, and how to show the answer: several prompts give several choices, ``n`` for each in order.

    ``headers`` have lower-case names. Raises InvalidRequest as ``ChatParser`` does.
    """
    fields = _READER.read(body)
    terms = Terms(fields)
    if fields.best_of is not None and fields.best_of != terms.choices_per_prompt:
        raise InvalidRequest("best_of is supported only where it equals n.", param="best_of")
    generation = Generation(
        prompt="",
        structure=structure(fields.response_format),
        max_tokens=asked.tokens_max(fields),
        stop=asked.stops(fields),
        logprobs=bool(terms.logprobs),
        top_logprobs=terms.logprobs.alternatives,
        echo=bool(fields.echo),
        sampling=asked.sampling(fields),
    )
    prompts = _prompts(fields, choices_per_prompt=terms.choices_per_prompt)
    work = tuple(choice for prompt in prompts for choice in terms.choices(changed(generation, prompt=prompt)))
    request = terms.request(headers, request_id=request_id, endpoint=Endpoint.COMPLETIONS, work=work)
    return ParsedCall(request, CompletionsPresenter(terms.presentation(request)))


def _prompts(fields: CompletionBody, *, choices_per_prompt: int) -> list[str | list[int]]:
    """Raises InvalidRequest for a list that is empty, mixed, or too long with its choices counted."""
    given = fields.prompt
    prompts: list[str | list[int]] = []
    if isinstance(given, str):
        prompts = [given]
    elif tokens := [item for item in given if isinstance(item, int)]:
        prompts = [tokens] if len(tokens) == len(given) else []
    elif texts := [item for item in given if isinstance(item, str)]:
        prompts = [*texts] if len(texts) == len(given) else []
    else:
        prompts = [item for item in given if isinstance(item, list)]
    if not prompts or [] in prompts:
        raise InvalidRequest(
            "A prompt is a text, a list of texts, a list of token ids, or a list of such lists; none is empty.",
            param="prompt",
        )
    if len(prompts) * choices_per_prompt > CHOICES_MAX:
        raise InvalidRequest(f"A request has at most {CHOICES_MAX} choices: prompts times n.", param="prompt")
    return prompts
