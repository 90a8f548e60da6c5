"""The values of a metric along an axis, if its strings can be read as numbers."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Final, NamedTuple

#: A sign counts where nothing stands before it: `3-5` has two numbers, 3 and 5. `1,5` and `1.2.3` are not numbers.
_NUMBER: Final = re.compile(r"(?<![\w.,])[-+\u2212]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![.,]?\d)")
_DIGITS: Final = re.compile(r"\d")
_SIGNS: Final = str.maketrans("≤\uff1c≦≥\uff1e≧", "<<<>>>")
_NEITHER: Final = re.compile("[^#<>]")
_WIDTH: Final = 1000
#: Where more than these are expected of a metric, the others share a strip without a band.
_MOST_EXPECTED: Final = 8
_MOST_STRINGS: Final = 10

#: What was returned for a metric, and how often: expected, actual and the status of the status.
Returned = Counter[tuple[str | None, str, str]]


class Band(NamedTuple):
    """The expected range; an open side is infinite."""

    low: float
    high: float


class Strip(NamedTuple):
    """The values that share an expected range.

    Attributes:
        expected: As the service returned it; None for those of several rare strings.
        times: The number of values.
        low: The smallest.
        middle: The median.
        high: The largest.
        ticks: SVG path data for each status, in a box of 1000 by 20.
        band: Where the expected range begins in this box, and how wide it is; None where it cannot be read.
    """

    expected: str | None
    times: int
    low: float
    middle: float
    high: float
    ticks: dict[str, str]
    band: tuple[float, float] | None


class Values(NamedTuple):
    """The values of a metric: strips, or the most frequent strings if one of them is not a number."""

    strips: list[Strip]
    strings: list[tuple[str, int]]
    other_strings: int


def number(text: str) -> float | None:
    """Return the number in a string; None if it has none, several, or an ambiguous one."""
    found = _numbers(text)
    return found[0] if len(found) == 1 else None


def band(text: str) -> Band | None:
    """Return the range in a string: two numbers, or one with a comparison sign; else None."""
    found = _numbers(text)
    form = _NEITHER.sub("", _NUMBER.sub("#", text.replace("#", "").translate(_SIGNS)))  # `>= 3 dB` is `>#`
    if form in {"##", "#<<#", ">#<#"} and found and found[0] <= found[1]:
        return Band(*found)
    if form in {">#", "#<"} and found:
        return Band(found[0], math.inf)
    if form in {"<#", "#>"} and found:
        return Band(-math.inf, found[0])
    return None


def values(returned: Returned) -> Values:
    """Return the strips of a metric, or its strings."""
    numbers = {actual: number(actual) for _, actual, _ in returned}
    known = {actual: value for actual, value in numbers.items() if value is not None}
    if len(known) < len(numbers):
        strings = Counter[str]()
        for (_, actual, _), times in returned.items():
            strings[actual] += times
        return Values([], strings.most_common(_MOST_STRINGS), max(0, len(strings) - _MOST_STRINGS))
    return Values(list(_strips(returned, known)), [], 0)


def _strips(returned: Returned, numbers: Mapping[str, float]) -> Iterator[Strip]:
    expected = Counter[str | None]()
    for (each, _, _), times in returned.items():
        expected[each] += times
    common = {each: band(each) for each, _ in expected.most_common(_MOST_EXPECTED) if each is not None}
    edges = [edge for found in common.values() if found for edge in found if math.isfinite(edge)]
    low, high = min([*numbers.values(), *edges], default=0.0), max([*numbers.values(), *edges], default=0.0)
    for which in [*common, None]:
        points = [
            (numbers[actual], status)
            for (each, actual, status), times in returned.items()
            if (each if each in common else None) == which
            for _ in range(times)
        ]
        if points:
            yield _strip(which, points, common.get(which) if which else None, low, high)


def _strip(expected: str | None, points: list[tuple[float, str]], found: Band | None, low: float, high: float) -> Strip:
    def place(value: float) -> float:
        inside = 0.5 if high == low else min(max((value - low) / (high - low), 0), 1)
        return round(_WIDTH * (0.02 + 0.96 * inside))

    places: dict[str, set[float]] = {}
    for value, status in points:
        places.setdefault(status, set()).add(place(value))
    ticks = {status: "".join(f"M{x} 0v8" for x in sorted(xs)) for status, xs in places.items()}
    seen = [value for value, _ in points]
    where = None
    if found is not None:
        begin = 0 if math.isinf(found.low) else place(found.low)
        where = begin, (_WIDTH if math.isinf(found.high) else place(found.high)) - begin
    return Strip(expected, len(seen), min(seen), median(seen), max(seen), ticks, where)


def _numbers(text: str) -> list[float]:
    matches = list(_NUMBER.finditer(text))
    if _DIGITS.search(_NUMBER.sub("", text)):  # digits that belong to no number: the string says something else
        return []
    found = [float(match[0].replace("\u2212", "-")) for match in matches]
    return found if all(map(math.isfinite, found)) else []
