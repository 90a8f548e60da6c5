"""Synthetic recordings for tests; the same arguments give the same recording."""

import struct
from functools import lru_cache
from math import pi, sin
from random import Random
from typing import Final

_SAMPLE_BYTES: Final = {8: 1, 16: 2, 24: 3, 32: 4}
_LARGEST: Final = 2**32 - 1 - 36  # the largest size that fits into a RIFF header


def wav(seconds: float = 30, rate: int = 48000, channels: int = 1, bits: int = 16, seed: int = 0) -> bytes:
    """Return a WAVE file with a tone that rises and falls as syllables do, over faint noise.

    One second is generated and repeated. `seed` changes the pitch and the noise.

    Raises:
        ValueError: A number is not positive, `bits` is not 8, 16, 24 or 32, or the file would be too large.
    """
    if bits not in _SAMPLE_BYTES:
        raise ValueError(f"bits must be 8, 16, 24 or 32, not {bits}")
    if not (seconds > 0 and rate > 0 and channels > 0):
        raise ValueError("seconds, rate and channels must be positive")
    frame = channels * _SAMPLE_BYTES[bits]
    size = round(seconds * rate) * frame
    if size > _LARGEST:
        raise ValueError("the recording would be too large: a WAVE file cannot exceed 4 GiB")
    second = _second(rate, channels, bits, seed)
    whole, rest = divmod(size, len(second))
    padding = size % 2  # a chunk has an even length
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * frame, frame, bits)
    head = b"RIFF" + struct.pack("<I", 36 + size + padding) + b"WAVEfmt " + struct.pack("<I", len(form)) + form
    return b"".join([head, b"data", struct.pack("<I", size), *[second] * whole, second[:rest], bytes(padding)])


@lru_cache(maxsize=8)
def _second(rate: int, channels: int, bits: int, seed: int) -> bytes:
    random = Random(seed)  # noqa: S311  # no secret
    pitch, syllables = random.randint(90, 220), random.randint(3, 5)  # whole Hz: repeated seconds join smoothly
    peak, width, middle = 2 ** (bits - 1) - 1, _SAMPLE_BYTES[bits], 128 if bits == 8 else 0  # 8 bits: unsigned
    samples = []
    for n in range(rate):
        turn = 2 * pi * n / rate
        voice = 0.5 * sin(pitch * turn) + 0.25 * sin(2 * pitch * turn) + 0.1 * sin(5 * pitch * turn)
        loudness = 0.55 - 0.45 * sin(syllables * turn)
        value = int(peak * (0.9 * voice * loudness + random.uniform(-0.005, 0.005)))
        samples.append((value + middle).to_bytes(width, "little", signed=bits != 8) * channels)
    return b"".join(samples)
