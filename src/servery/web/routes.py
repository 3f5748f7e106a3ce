"""The inference endpoints: which path is understood in which dialect."""

from collections.abc import Mapping

from servery.web.anthropic.count_tokens import parse_count
from servery.web.anthropic.errors import error_body as anthropic_error_body
from servery.web.anthropic.limit_headers import anthropic_limit_headers
from servery.web.anthropic.messages import parse_messages
from servery.web.openai.chat import ChatParser
from servery.web.openai.completions import parse_completions
from servery.web.openai.embeddings import parse_embeddings
from servery.web.openai.errors import error_body as openai_error_body
from servery.web.server.inference_route import InferenceRoute

PREFIXES = ("/inference/v1", "/v1")
"""Clients for Fireworks expect the first, clients for OpenAI and Anthropic the second."""


def inference_routes() -> Mapping[str, InferenceRoute]:
    """Routes by full path."""
    routes = {
        "/chat/completions": InferenceRoute(ChatParser().parse, openai_error_body),
        "/completions": InferenceRoute(parse_completions, openai_error_body),
        "/embeddings": InferenceRoute(parse_embeddings, openai_error_body),
        "/messages": InferenceRoute(parse_messages, anthropic_error_body, anthropic_limit_headers, b"request-id"),
        "/messages/count_tokens": InferenceRoute(
            parse_count, anthropic_error_body, id_header=b"request-id", only_counts=True
        ),
    }
    return {prefix + path: route for prefix in PREFIXES for path, route in routes.items()}
