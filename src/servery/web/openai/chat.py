"""``POST /chat/completions``: the request."""

from typing import Final

from servery.core.caller import Caller
from servery.web.openai.asked import UNSUPPORTED
from servery.web.openai.body_reader import BodyReader
from servery.web.openai.chat_body import ChatBody
from servery.web.openai.chat_terms import ChatTerms
from servery.web.openai.repeated_bodies import RepeatedBodies
from servery.web.presenter import ParsedCall

READER: Final = BodyReader(
    ChatBody,
    {
        **UNSUPPORTED,
        "audio": (),
        "echo": (False,),
        "prompt_token_ids": ([],),
        "prompt_truncate_len": (0,),
        "safe_tokenization": (False,),
        "verbosity": ("medium",),
        "web_search_options": (),
    },
)


class ChatParser:
    """Understands the bodies of chat requests, and remembers what each API key asks for again and again."""

    __slots__ = ("_repeated",)

    def __init__(self) -> None:
        self._repeated = RepeatedBodies(READER.read)

    def parse(self, body: bytes, headers: dict[str, str], request_id: str, caller: Caller) -> ParsedCall:
        """What is asked, and how to show the answer. ``headers`` have lower-case names.

        Raises InvalidRequest, with ``param`` where one field is to blame, for a body that cannot be understood, for one
        that asks for what is not supported, and for unknown fields: nothing is dropped silently. Does not know the
        model: whether it exists, and what it can do, is for the catalog to say.
        """
        call = self._repeated.call(caller.key_id, body, headers, request_id)
        if call is None:
            terms = ChatTerms(READER.read(body))
            call = terms.call(terms.generation, headers, request_id=request_id)
            self._repeated.missed(caller.key_id, body, terms)
        return call
