"""A gateway's share of a fleet that several gateways serve from."""

import msgspec


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """Gateway ``index`` (from 0) of ``count`` that are alike. Of what each replica can do at once, and of the slots of
    its prompt cache, every gateway has its own part; the parts are disjoint and nothing is left over."""

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        assert 0 <= self.index < self.count, "a gateway is one of those it counts"

    def places(self, places: int, *, replica: int) -> range:
        """Which of the ``places`` (numbered from 0) that each replica of a pool has are this gateway's at the replica
        of that number. All places of the pool are dealt out in turn, so no gateway has more than one beyond another.
        """
        return range((self.index - replica * places) % self.count, places, self.count)
