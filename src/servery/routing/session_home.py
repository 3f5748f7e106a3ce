"""The replica where a session is at home: the same on every gateway, without talking.

Rendezvous hashing (Thaler and Ravishankar, 1998): each replica draws a number from its name and the session's; the
highest is home. When a replica goes, only its own sessions move; when it returns, they return.
"""

from collections.abc import Iterable
from hashlib import blake2b


def session_home(session: str, replicas: Iterable[str]) -> str | None:
    """The name of the home among ``replicas``; None when there are none."""
    return max(replicas, key=lambda replica: _draw(session, replica), default=None)


def _draw(session: str, replica: str) -> bytes:
    return blake2b(f"{replica}\0{session}".encode(), digest_size=8).digest()
