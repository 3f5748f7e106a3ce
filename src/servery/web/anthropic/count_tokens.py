"""``POST /messages/count_tokens``: how many tokens messages would have as a prompt."""

from typing import Final, NoReturn

import msgspec

from servery.core.caller import Caller
from servery.core.errors import ServeryError
from servery.core.inference import InferenceRequest
from servery.core.serving_path import Endpoint, ServingPath
from servery.engines.engine_answer import EngineAnswer
from servery.engines.whole_answer import WholeAnswer
from servery.serving.served import Served
from servery.web.anthropic.body import MessagesBody, PromptBody
from servery.web.anthropic.errors import error_body, error_frame
from servery.web.anthropic.messages import check, generation
from servery.web.openai.json_body import decode_body
from servery.web.presenter import ParsedCall

_DECODER: Final = msgspec.json.Decoder(PromptBody)


class _Counted(msgspec.Struct):
    input_tokens: int


def parse_count(body: bytes, headers: dict[str, str], request_id: str, caller: Caller) -> ParsedCall:
    """What is to be counted, and how to tell. Raises InvalidRequest as ``parse_messages`` does; fields that only an
    answer needs, such as ``max_tokens``, are unknown here, as they are to Anthropic."""
    fields = MessagesBody(**msgspec.structs.asdict(decode_body(body, _DECODER)))
    check(fields)
    request = InferenceRequest(
        request_id=request_id, endpoint=Endpoint.CHAT, model=fields.model, work=(generation(fields),)
    )
    return ParsedCall(request, CountPresenter(request_id))


class CountPresenter:
    """Shows a count, which is never a stream; see ``Presenter``."""

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id

    def admitted(self, path: ServingPath) -> None:
        """Not shown: nothing is generated, on whatever path."""

    def stream_frame(self, branch: int, event: bytes, read: EngineAnswer | None) -> NoReturn:
        raise AssertionError("a count is not streamed")

    def plain_frames(self, branch: int) -> None:
        """None: there are no events."""

    def stream_end(self, served: Served) -> NoReturn:
        raise AssertionError("a count is not streamed")

    def whole(self, answers: list[WholeAnswer], served: Served) -> bytes:
        return msgspec.json.encode(_Counted(served.usage.prompt_tokens))

    def error(self, error: ServeryError) -> bytes:
        return error_body(error, self._request_id)

    def error_frame(self, error: ServeryError) -> bytes:
        return error_frame(error, self._request_id)
