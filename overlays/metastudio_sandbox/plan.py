"""Which of the next requests get a fault."""

import random
from collections import deque
from collections.abc import Callable, Sequence
from inspect import iscoroutinefunction
from typing import Any, Generic, TypeVar

import attrs

AnyFault = TypeVar("AnyFault", bound=Callable[..., Any])


@attrs.define
class Plan(Generic[AnyFault]):
    """Which of the next requests get a fault."""

    _coming: deque[AnyFault] = attrs.field(factory=deque)
    _faults: Sequence[AnyFault] = ()
    _probability: float = 0.0
    _random: random.Random = attrs.field(factory=random.Random)

    def next(self, fault: AnyFault, times: int) -> None:
        """Apply a fault to the next requests, after those that already have one."""
        if times < 1:
            raise ValueError(f"times must be at least 1, not {times}")
        self._coming.extend([_checked(fault)] * times)

    def randomly(self, faults: Sequence[AnyFault], probability: float, seed: int) -> None:
        """From now on, apply one of `faults` to each request with the given probability."""
        if not faults:
            raise ValueError("faults must not be empty: pass probability=0 to stop them")
        if not 0 <= probability <= 1:
            raise ValueError(f"probability must be between 0 and 1, not {probability}")
        self._faults, self._probability = [_checked(fault) for fault in faults], probability
        self._random = random.Random(seed)  # noqa: S311  # no secret

    def take(self) -> AnyFault | None:
        """Return the fault for the current request, or None."""
        if self._coming:
            return self._coming.popleft()
        if self._faults and self._random.random() < self._probability:
            return self._random.choice(self._faults)
        return None


def _checked(fault: AnyFault) -> AnyFault:
    if not iscoroutinefunction(fault):  # otherwise `throttled` instead of `throttled()` would fail only at a request
        name = getattr(fault, "__name__", repr(fault))
        raise TypeError(f"{name} is not a fault: if it returns one, write {name}(...)")
    return fault
