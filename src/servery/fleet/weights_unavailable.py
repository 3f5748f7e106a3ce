"""Weights that cannot be had."""


class WeightsUnavailable(Exception):
    """Its text is for the operator: one line that says what is the matter and, where something can be done, what.

    Never met by a caller of the API, hence not part of the tree in ``core/errors.py``.
    """
