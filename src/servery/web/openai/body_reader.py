"""Reads the bodies of one endpoint, fields that are known to the API and not supported here among them."""

from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec

from servery.core.errors import InvalidRequest
from servery.web.openai.json_body import decode_body

_Body = TypeVar("_Body", bound=msgspec.Struct)


class BodyReader(Generic[_Body]):
    """``unsupported`` holds, by the name of a field that ``shape`` does not have, the values that mean that nothing is
    asked, beside null.

    Hardly any body has such a field, and each field of a shape costs something with every body. So a body is read
    without them first, and only one that is refused is read again with them.
    """

    def __init__(self, shape: type[_Body], unsupported: Mapping[str, tuple[object, ...]]) -> None:
        self._decoder = msgspec.json.Decoder(shape)
        self._unsupported = unsupported
        with_all = msgspec.defstruct(
            shape.__name__,
            [(name, object, None) for name in unsupported],
            bases=(shape,),
            kw_only=True,
            forbid_unknown_fields=True,
        )
        self._decoder_of_all: msgspec.json.Decoder[_Body] = msgspec.json.Decoder(with_all)

    def read(self, body: bytes) -> _Body:
        """Raises InvalidRequest as ``decode_body`` does, and for the first field that asks for what is not
        supported."""
        try:
            return decode_body(body, self._decoder)
        except InvalidRequest:
            fields = decode_body(body, self._decoder_of_all)
        for name, off in self._unsupported.items():
            value = getattr(fields, name)
            if value is not None and value not in off:
                raise InvalidRequest(f"{name} is not supported.", param=name)
        return fields
