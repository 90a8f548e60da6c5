"""Setup and exit of the process: encodings, signals, and output that cannot be written."""

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

#: The reader is gone, the disk is full, the terminal is gone.
_OF_OUTPUT = {errno.EPIPE, errno.ENOSPC, errno.EIO}
_BY_SIGNAL = 128  # shells add it to the number of a signal
_signals: list[int] = []


@contextmanager
def prepared() -> Iterator[None]:
    """Replace characters that cannot be encoded; exit without a traceback if stdout cannot be written."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
        _flush()
    except SystemExit:
        _flush()
        raise
    except OSError as error:
        if error.errno not in _OF_OUTPUT:
            raise
        _give_up(error)


def interrupted() -> int:
    """Return the exit code of an interrupted command: 130 after Ctrl-C, 143 after SIGTERM."""
    return _BY_SIGNAL + (_signals[-1] if _signals else signal.SIGINT)


def _terminate(number: int, _: FrameType | None) -> None:
    """Stop as after Ctrl-C, through its handler, which may belong to an event loop."""
    _signals.append(number)
    if signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, None):
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


def _flush() -> None:
    try:
        sys.stdout.flush()
    except OSError as error:
        _give_up(error)


def _give_up(error: OSError) -> None:
    """Print why stdout cannot be written, unless its reader is gone; keep Python from flushing it again at exit."""
    if error.errno != errno.EPIPE:
        sys.stderr.write(f"metastudio: cannot write the output: {error.strerror}\n")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(1)
