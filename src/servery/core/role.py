"""What a user of an account may be."""

from enum import StrEnum


class Role(StrEnum):
    """From the one who decides to the one who only asks models. ``tenancy/permissions.py`` tells what each may do."""

    ADMIN = "admin"
    USER = "user"
    CONTRIBUTOR = "contributor"
    INFERENCE_USER = "inference-user"
