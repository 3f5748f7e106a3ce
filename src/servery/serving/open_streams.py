"""The streams that are going on, each with the reservation that it may outgrow."""

from servery.limits.grant import Grant
from servery.serving.journey import Journey


class OpenStreams:
    """What is known of a stream's length before its end are the tokens that have passed. An answer that is not streamed
    is known only whole."""

    def __init__(self) -> None:
        self._grants: dict[Journey, Grant] = {}

    def __len__(self) -> int:
        return len(self._grants)

    def add(self, journey: Journey, grant: Grant) -> None:
        if journey.request.stream:
            self._grants[journey] = grant

    def remove(self, journey: Journey) -> None:
        if journey.request.stream:
            self._grants.pop(journey, None)

    def extend_grants(self) -> None:
        """Reserve more for those that have generated more than was expected of them."""
        for journey, grant in self._grants.items():
            grant.extend(journey.generated_tokens)
