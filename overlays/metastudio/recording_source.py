"""A recording given as a path, bytes or an open file, and the errors of reading it."""

import functools
import io
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import attrs

from .errors import printable
from .journey_errors import RecordingError

Recording: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO


@attrs.frozen(eq=False)
class Source:
    """A recording: its label in messages, its file name (may be empty), and a function that opens it at its start."""

    label: str
    name: str
    open: Callable[[], AbstractContextManager[Any]]  # a BinaryIO


def source_of(recording: Recording) -> Source:
    """Return the source of a recording.

    Raises:
        RecordingError: It cannot be opened.
    """
    if isinstance(recording, bytes):
        return Source("the recording", "", functools.partial(io.BytesIO, recording))
    if isinstance(recording, str | os.PathLike) and isinstance(os.fspath(recording), str):
        return _file(recording)
    file: Any = recording  # may be anything, so it is tried
    try:
        usable, start = file.read(0) == b"" and file.seekable(), file.tell()
    except (AttributeError, TypeError, OSError, ValueError):
        usable = False
    if not usable:
        raise RecordingError(
            "recording must be a path, bytes or an open binary file that can seek (mode 'rb'; write a stream to a file "
            f"first), not {type(recording).__name__}"
        )
    name = getattr(file, "name", "")  # it may be a file descriptor
    return Source("the recording", name if isinstance(name, str) else "", functools.partial(_rewound, file, start))


def _file(path: str | os.PathLike[str]) -> Source:
    label, file = f"recording {printable(repr(os.fspath(path)), 200)}", Path(path).absolute()
    with explained(label):
        if file.is_dir():
            raise RecordingError(f"{label} is a folder: pass the file in it, or a zip of that file")
        if not file.is_file():  # opening a pipe may block forever
            raise RecordingError(f"{label} does not exist, or is a pipe or a device: check the path")
    return Source(label, file.name, functools.partial(file.open, "rb"))


@contextmanager
def _rewound(file: BinaryIO, start: int) -> Iterator[BinaryIO]:
    file.seek(start)
    yield file
    file.seek(start)  # not after an error: other code may be reading it by then


@contextmanager
def explained(label: str) -> Iterator[None]:
    """Raise errors of reading a recording as `RecordingError`: they are not failures of the network."""
    try:
        yield
    except FileNotFoundError as error:
        raise changed(label) from error
    except (OSError, ValueError) as error:
        if isinstance(error, RecordingError):
            raise
        raise RecordingError(f"{label} cannot be read ({error}): check the file and its permissions") from error


def changed(label: str) -> RecordingError:
    """Return the error for a recording that has changed."""
    return RecordingError(f"{label} changed while it was read: wait until it is complete, and try again")
