"""The whole number nearest to a quantity, as each request needs it several times."""


def nearest(quantity: float) -> int:
    """Of a ``quantity`` that is not negative; of two that are as near, the greater. Compiled, ``round`` costs a dozen
    times as much: it is called by its name, on an object."""
    return int(quantity + 0.5)
