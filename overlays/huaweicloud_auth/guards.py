"""The guards of this process, by a hash of the key pair: no secret outlives its client."""

import hashlib
import os
from typing import Final

from .credentials import Credentials
from .key_guard import KeyGuard

_REMEMBERED: Final = 1024

_guards: Final[dict[bytes, KeyGuard]] = {}
os.register_at_fork(after_in_child=_guards.clear)  # what the parent's threads have under way never ends here


def guard_of(credentials: Credentials) -> KeyGuard:
    """Return the one guard that this process has of a key pair. It is kept by a hash, not by the key."""
    key = hashlib.sha256(b"\0".join((credentials.ak.encode(), credentials.sk.encode()))).digest()
    while len(_guards) >= _REMEMBERED and key not in _guards:
        _guards.pop(next(iter(_guards)), None)
    return _guards.get(key) or _guards.setdefault(key, KeyGuard())
