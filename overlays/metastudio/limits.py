"""The minimum and maximum length of a recording."""

import attrs

from .journey_errors import RecordingError


@attrs.frozen
class RecordingLimits:
    """The minimum and maximum length of a recording, in seconds. None means no limit."""

    shortest: int | None = None
    longest: int | None = None


def check_seconds(label: str, seconds: float | None, limits: RecordingLimits) -> None:
    """Validate the length of a recording, if it is known.

    Raises:
        RecordingError: It is 0, or outside `limits`.
    """
    if seconds == 0:
        raise RecordingError(f"{label} is empty: the WAV has a header but no sound")
    if seconds is not None and limits.shortest is not None and seconds < limits.shortest:
        raise RecordingError(f"{label} is {seconds:.3f} s long; at least {limits.shortest} s are needed")
    if seconds is not None and limits.longest is not None and seconds > limits.longest:
        raise RecordingError(f"{label} is {seconds:.3f} s long; at most {limits.longest} s are allowed: cut it")
