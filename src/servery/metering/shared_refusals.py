"""Refused requests of several workers: found whichever of them is asked."""

import msgspec

from servery.core.siblings import Siblings
from servery.metering.refused_requests import RefusedRequest, RefusedRequests

_question = msgspec.json.Decoder(tuple[str, str])
_answer = msgspec.json.Decoder(RefusedRequest | None)


class SharedRefusals:
    """``own`` are this worker's. Gateways that share nothing but a database do not ask each other."""

    def __init__(self, own: RefusedRequests, siblings: Siblings) -> None:
        self._own = own
        self._siblings = siblings

    async def open(self) -> None:
        """Begin to answer the other workers."""
        await self._siblings.open(self._tell)

    def close(self) -> None:
        self._siblings.close()

    async def find(self, account: str, request_id: str) -> RefusedRequest | None:
        """The account's refused request of that id, if any worker still knows it. A worker that does not answer in time
        knows nothing."""
        found = self._own.find(account, request_id)
        if found is not None:
            return found
        answers = await self._siblings.ask(msgspec.json.encode((account, request_id)))
        told = (_answer.decode(answer) for answer in answers.values() if answer)
        return next((one for one in told if one is not None), None)

    def _tell(self, question: bytes) -> bytes:
        account, request_id = _question.decode(question)
        return msgspec.json.encode(self._own.find(account, request_id))
