"""The body of a control request."""

from typing import TypeVar

import msgspec
from starlette.requests import Request

from servery.core.errors import InvalidRequest

Body = TypeVar("Body", bound=msgspec.Struct)


async def body_of(request: Request, wanted: type[Body]) -> Body:
    """The JSON body as a ``wanted``; an empty one counts as ``{}``. Raises InvalidRequest. How long a body may be has
    been seen to by whoever read it."""
    try:
        return msgspec.json.decode(await request.body() or b"{}", type=wanted)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body cannot be understood: {error}") from error
    except RecursionError:
        raise InvalidRequest("The body cannot be understood: it is nested too deeply") from None
