"""The outcome of an upload: a failure, or an assessment whose values are invented from the recording's bytes."""

import asyncio
import hashlib
import zlib
from pathlib import PurePosixPath
from typing import IO, Any, Final
from zipfile import BadZipFile, ZipFile, ZipInfo

import attrs

from . import contract as contracts

# inferred: what counts as a recording, and that `job_failed_code` has these codes. doc: the codes.
AUDIO: Final = frozenset({".wav", ".mp3", ".m4a", ".flac", ".ogg", ".aac", ".pcm"})
NO_AUDIO: Final = "MSS.20020012"
NO_ZIP: Final = "MSS.20020013"
_METRIC: Final = "#/components/schemas/AssessProperty"
_CHUNK: Final = 2**20
_UNREADABLE: Final = (BadZipFile, EOFError, OSError, RuntimeError, ValueError, zlib.error)  # also: encrypted


@attrs.frozen
class Outcome:
    """The final state of a job, and its fields in that state."""

    state: str
    fields: dict[str, Any]


async def outcome(contract: dict[str, Any], upload: IO[bytes]) -> Outcome:
    """Return the outcome of an upload; yield to other requests while reading it."""
    try:
        with ZipFile(upload) as archive:
            recordings = [each for each in archive.infolist() if PurePosixPath(each.filename).suffix.lower() in AUDIO]
            if not recordings:
                return _failed(NO_AUDIO, "Invented: the zip has no audio file.")
            digest = await _digest(archive, recordings)
    except _UNREADABLE:
        return _failed(NO_ZIP, "Invented: the upload is not a valid zip.")
    return Outcome("SUCCEED", {"assess_result": _assessed(contract, digest)})


def _failed(code: str, reason: str) -> Outcome:
    return Outcome("FAILED", {"job_failed_code": code, "job_failed_reason": reason})


async def _digest(archive: ZipFile, recordings: list[ZipInfo]) -> bytes:
    """Return a hash of the recordings' bytes, independent of their names and of the compression."""
    digest = hashlib.sha256()
    for each in recordings:
        with archive.open(each) as recording:
            while chunk := recording.read(_CHUNK):
                digest.update(chunk)
                await asyncio.sleep(0)
    return digest.digest()


def _assessed(contract: dict[str, Any], digest: bytes) -> dict[str, Any]:
    properties = contract["components"]["schemas"]["AssessResult"]["properties"]
    result = {name: contracts.sample(contract, schema) for name, schema in properties.items()}
    metrics = [name for name, schema in properties.items() if schema.get("$ref") == _METRIC]
    result |= {name: result[name] | _measured(name, digest) for name in metrics}
    exceeded = sum(result[name]["status"] != 0 for name in metrics)
    return result | {"suggestion": f"Invented: {exceeded} of {len(metrics)} metrics are out of range."}


def _measured(name: str, digest: bytes) -> dict[str, Any]:
    first, second, *_ = hashlib.sha256(digest + name.encode()).digest()
    status = first % 3 - 1  # inferred: -1 is below the range, 0 in it, 1 above it
    values = {
        "expected": "invented: 3-5",
        "actual": f"invented: {3 + 2 * status + second % 20 / 10:.1f}",
        "status": status,
        "suggestion": "示例 (invented)",
        "suggestion_en": "Invented: nothing to change.",
    }
    if status:
        values |= {
            "suggestion": "示例 (invented): 请重新录音。",
            "suggestion_en": f"Invented: record again; {name} is out of range.",
        }
    return values
