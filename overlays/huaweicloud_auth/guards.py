"""The key guards of this process, stored by a hash of the key pair so that no secret outlives its client."""

import hashlib
import os
from typing import Final
from weakref import WeakValueDictionary

from .credentials import Credentials
from .key_guard import KeyGuard
from .tally import Tally

_REMEMBERED: Final = 1024

_guards: Final[dict[bytes, KeyGuard]] = {}
_tallies: Final[WeakValueDictionary[bytes, Tally]] = WeakValueDictionary()  # by the access key


def _after_fork() -> None:
    """Forget the parent's requests in flight, which never end in the child."""
    _guards.clear()
    _tallies.clear()


os.register_at_fork(after_in_child=_after_fork)


def guard_of(credentials: Credentials) -> KeyGuard:
    """Return this process's guard of a key pair."""
    key = _hash(credentials.ak, credentials.sk)
    while len(_guards) >= _REMEMBERED and key not in _guards:
        _guards.pop(next(iter(_guards)), None)
    return _guards.get(key) or _guards.setdefault(key, KeyGuard(tally=_tally_of(credentials.ak)))


def _tally_of(ak: str) -> Tally:
    return _tallies.setdefault(_hash(ak), Tally())


def _hash(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()
