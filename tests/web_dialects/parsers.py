"""The parsers of all endpoints, with somebody who asks."""

from collections.abc import Mapping

import msgspec

from servery.core.caller import Caller
from servery.core.value import Value
from servery.web.anthropic.count_tokens import parse_count as parse_count_of
from servery.web.anthropic.messages import parse_messages as parse_messages_of
from servery.web.openai.chat import ChatParser
from servery.web.openai.completions import parse_completions as parse_completions_of
from servery.web.openai.embeddings import parse_embeddings as parse_embeddings_of
from servery.web.presenter import ParsedCall

CALLER = Caller("acme", "key_1")


def parse_chat(body: bytes, headers: Mapping[str, str], request_id: str) -> ParsedCall:
    """A body is understood in the same way when it comes again; the more often it comes, the less of it is read."""
    parser = ChatParser()
    first = parser.parse(body, headers, request_id, CALLER)
    for _ in range(5):
        again = parser.parse(body, headers, request_id, CALLER)
        assert said(again.request) == said(first.request)
    return again


def parse_completions(body: bytes, headers: Mapping[str, str], request_id: str) -> ParsedCall:
    return parse_completions_of(body, headers, request_id, CALLER)


def parse_embeddings(body: bytes, headers: Mapping[str, str], request_id: str) -> ParsedCall:
    return parse_embeddings_of(body, headers, request_id, CALLER)


def parse_messages(body: bytes, headers: Mapping[str, str], request_id: str) -> ParsedCall:
    return parse_messages_of(body, headers, request_id, CALLER)


def parse_count(body: bytes, headers: Mapping[str, str], request_id: str) -> ParsedCall:
    return parse_count_of(body, headers, request_id, CALLER)


def said(value: Value) -> bytes:
    """All that a value says."""
    return msgspec.json.encode(value, enc_hook=lambda part: {one: getattr(part, one) for one in part.FIELDS})
