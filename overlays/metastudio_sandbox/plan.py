"""Which of the coming requests are spoilt."""

import random
from collections import deque
from collections.abc import Callable, Sequence
from inspect import iscoroutinefunction
from typing import Any, Generic, TypeVar

import attrs

AnyFault = TypeVar("AnyFault", bound=Callable[..., Any])


@attrs.define
class Plan(Generic[AnyFault]):
    """Which of the coming requests are spoilt."""

    _coming: deque[AnyFault] = attrs.field(factory=deque)
    _faults: Sequence[AnyFault] = ()
    _probability: float = 0.0
    _random: random.Random = attrs.field(factory=random.Random)

    def next(self, fault: AnyFault, times: int) -> None:
        """Spoil the next requests that are not spoilt already."""
        if times < 1:
            raise ValueError(f"times must be at least 1, not {times}")
        self._coming.extend([_checked(fault)] * times)

    def randomly(self, faults: Sequence[AnyFault], probability: float, seed: int) -> None:
        """From now on, spoil requests with a probability."""
        if not faults:
            raise ValueError("faults must not be empty; to have no more of them: probability=0")
        if not 0 <= probability <= 1:
            raise ValueError(f"probability must be between 0 and 1, not {probability}")
        self._faults, self._probability = [_checked(fault) for fault in faults], probability
        self._random = random.Random(seed)  # noqa: S311  # no secret

    def take(self) -> AnyFault | None:
        """Return how the request that is being answered is spoilt, if it is."""
        if self._coming:
            return self._coming.popleft()
        if self._faults and self._random.random() < self._probability:
            return self._random.choice(self._faults)
        return None


def _checked(fault: AnyFault) -> AnyFault:
    if not iscoroutinefunction(fault):  # `throttled` for `throttled()` would be found out only when it answers
        name = getattr(fault, "__name__", repr(fault))
        raise TypeError(f"not a fault: {name}; if it makes one, write {name}(...)")
    return fault
