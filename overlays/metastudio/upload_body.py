"""What is uploaded, in pieces."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Protocol, TypeAlias

from .errors import ConfigurationError

#: Called with the bytes that were sent and all that are to be; a repeat starts again from 0.
OnProgress: TypeAlias = Callable[[int, int], object]

#: A path, or an open binary file.
Source: TypeAlias = str | os.PathLike[str] | BinaryIO

_PIECE: Final = 1024 * 1024


class Body(Protocol):
    """What is uploaded: its size is known, and it can be read again from its beginning."""

    @property
    def size(self) -> int:
        """The number of bytes."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes from the beginning."""


class File:
    """A file as it is: a path, or an open binary file from where it stands.

    Raises:
        ConfigurationError: It cannot be read.
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
        """Yield the bytes from the beginning."""
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
        raise ConfigurationError(f"the file cannot be read: give a path or an open binary file ({error})") from error


def counted(body: Body, on_progress: OnProgress | None) -> Iterator[bytes]:
    """Yield the pieces of `body`, and tell `on_progress` what was sent."""
    sent, tell = 0, on_progress or _nobody
    tell(sent, body.size)
    for piece in body.chunks():
        yield piece
        sent += len(piece)
        tell(sent, body.size)


async def in_threads(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what an iterator yields, each piece read in a thread: the event loop does not wait for the disk."""
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece


def _nobody(_sent: int, _total: int) -> None:
    pass
