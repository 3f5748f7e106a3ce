"""What an operator wrote (a setting, an option, a file) and the platform cannot use."""


class Misconfigured(Exception):
    """Its text is for the operator: one line for each fault, each naming the place where it stands.

    Never met by a caller of the API, hence not part of the tree in ``core/errors.py``.
    """
