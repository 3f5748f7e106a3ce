"""Why a branch of a request went where it went."""

import msgspec

from servery.routing.decision import Weighing


class Placed(msgspec.Struct, gc=False):
    """One seat that was taken for a branch of a request. Not to be changed."""

    request_id: str
    branch: int
    weighing: Weighing
