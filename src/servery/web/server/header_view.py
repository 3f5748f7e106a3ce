"""A request's headers as text, decoded only where they are looked at."""

from collections.abc import Iterable, Iterator, Mapping


class HeaderView(Mapping[str, str]):
    """Headers by lower-case name; of several with one name the last."""

    __slots__ = ("_raw",)

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._raw = dict(headers)

    def __getitem__(self, name: str) -> str:
        return self._raw[name.encode("latin-1")].decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        return (name.decode("latin-1") for name in self._raw)

    def __len__(self) -> int:
        return len(self._raw)
