"""The body of an upload, in pieces."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Protocol, TypeAlias

from .errors import ConfigurationError

#: Called with the number of bytes sent and the total. A retry starts again from 0.
OnProgress: TypeAlias = Callable[[int, int], object]

#: A path, or an open binary file.
Source: TypeAlias = str | os.PathLike[str] | BinaryIO

#: Seconds for the whole response, including interim responses.
RESPONSE_SECONDS: Final = 120.0
_PIECE: Final = 1024 * 1024


class Body(Protocol):
    """The body of an upload: its size is known, and it can be read again from the start."""

    @property
    def size(self) -> int:
        """The number of bytes."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes from the start."""


class File:
    """A file that is uploaded unchanged: a path, or an open binary file from its current position.

    Raises:
        ConfigurationError: The file cannot be read.
    """

    def __init__(self, file: Source) -> None:
        self._file, self._start = file, 0
        with _readable():
            if isinstance(file, str | os.PathLike):
                with Path(file).open("rb") as opened:
                    self.size = os.fstat(opened.fileno()).st_size
            else:
                bytes(file.read(0))  # TypeError: a text file
                self._start = file.tell()
                self.size = file.seek(0, os.SEEK_END) - self._start

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes from the start."""
        file = self._file
        with _readable():
            if isinstance(file, str | os.PathLike):
                with Path(file).open("rb") as opened:
                    yield from iter(lambda: opened.read(_PIECE), b"")
            else:
                file.seek(self._start)
                yield from iter(lambda: file.read(_PIECE), b"")


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (AttributeError, OSError, TypeError, ValueError) as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(f"the file cannot be read: pass a path or an open binary file ({error})") from error


def counted(body: Body, on_progress: OnProgress | None) -> Iterator[bytes]:
    """Yield the pieces of `body`, and report the progress to `on_progress`."""
    sent, report = 0, on_progress or _ignore
    report(sent, body.size)
    for piece in body.chunks():
        yield piece
        sent += len(piece)
        report(sent, body.size)


class ResponseTime:
    """The time for the response to an upload, which starts when the body has been sent."""

    def __init__(self) -> None:
        self._ends: float | None = None

    def after(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the pieces of the body; the time starts after the last one."""
        yield from pieces
        self._ends = time.monotonic() + RESPONSE_SECONDS

    def seconds_left(self) -> float:
        """Return the seconds left."""
        return RESPONSE_SECONDS if self._ends is None else self._ends - time.monotonic()


async def in_threads(pieces: Iterator[bytes], limit: asyncio.Timeout) -> AsyncIterator[bytes]:
    """Yield the pieces of an iterator, and read each in a thread, so that the event loop does not wait for the disk.

    After the last one, `limit` is set to the time for the response.
    """
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece
    limit.reschedule(asyncio.get_running_loop().time() + RESPONSE_SECONDS)


def _ignore(_sent: int, _total: int) -> None:
    pass
