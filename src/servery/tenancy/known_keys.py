"""What a key ring remembers: good keys, and for a moment secrets that belong to none. Pure; bounded."""

from servery.core.caller import Caller


class KnownKey:
    """A key that was good when it was read. ``is_used``: at ``last_used_ns``, which is not recorded yet."""

    __slots__ = ("caller", "expires_ns", "is_used", "last_used_ns")

    def __init__(self, caller: Caller, expires_ns: int | None) -> None:
        self.caller = caller
        self.expires_ns = expires_ns
        self.is_used = False
        self.last_used_ns = 0


class KnownKeys:
    """By the hash of the secret. Of good keys at most ``keys_max``, of others ``refusals_max``; where there is no room,
    those remembered longest go (dicts keep their order)."""

    __slots__ = ("_keys", "_keys_max", "_refusal_s", "_refusals_max", "_refused_until_s")

    def __init__(self, *, keys_max: int, refusals_max: int, refusal_s: float) -> None:
        self._keys: dict[bytes, KnownKey] = {}
        self._refused_until_s: dict[bytes, float] = {}
        self._keys_max = keys_max
        self._refusals_max = refusals_max
        self._refusal_s = refusal_s

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def refusals(self) -> int:
        return len(self._refused_until_s)

    def find(self, digest: bytes) -> KnownKey | None:
        return self._keys.get(digest)

    def is_refused(self, digest: bytes, now_s: float) -> bool:
        until_s = self._refused_until_s.get(digest)
        if until_s is None:
            return False
        if now_s < until_s:
            return True
        del self._refused_until_s[digest]
        return False

    def remember(self, digest: bytes, key: KnownKey) -> None:
        if len(self._keys) >= self._keys_max:
            del self._keys[next(iter(self._keys))]
        self._keys[digest] = key

    def renew(self, digest: bytes, key: KnownKey | None) -> None:
        """A remembered key is now ``key``, or good no more; others are left alone."""
        if digest not in self._keys:
            return
        if key is None:
            del self._keys[digest]
        else:
            self._keys[digest] = key

    def refuse(self, digest: bytes, now_s: float) -> None:
        """The secret belonged to no good key a moment ago."""
        if len(self._refused_until_s) >= self._refusals_max:
            del self._refused_until_s[next(iter(self._refused_until_s))]
        self._refused_until_s[digest] = now_s + self._refusal_s

    def forget_refusals(self) -> None:
        self._refused_until_s.clear()
