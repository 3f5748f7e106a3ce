"""A charge that is being posted."""


class Charged:
    """``id`` is its transfer's, ``charged_ns`` when it counts. Never changed."""

    __slots__ = ("account", "charged_ns", "id", "nanodollars")

    def __init__(self, id: str, account: str, nanodollars: int, charged_ns: int) -> None:  # noqa: A002
        self.id = id
        self.account = account
        self.nanodollars = nanodollars
        self.charged_ns = charged_ns
