"""The output of an assessment: a progress bar and a line per state, or a JSON line per change for programs."""

import logging
from types import TracebackType
from typing import Self

from rich import progress
from rich.console import Console

from metastudio import AssessmentInterrupted, ShortJob, ShortJobFailed, WaitTimeout

from . import output, render


class UploadBar:
    """The progress bar of an upload, shown from the first chunk on if `screen` is a terminal."""

    def __init__(self, screen: Console) -> None:
        columns = (progress.BarColumn(), progress.DownloadColumn(), progress.TransferSpeedColumn())
        self._bar = progress.Progress("upload", *columns, console=screen)
        self._task = self._bar.add_task("upload", total=None)

    def progress(self, sent: int, total: int) -> None:
        """Show the bytes sent; a retry of the upload starts again from 0."""
        if self._bar.console.is_terminal and not output.is_quiet:
            self._bar.start()
        self._bar.update(self._task, completed=sent, total=total)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop updating the bar."""
        if self._bar.live.is_started:  # otherwise, older versions of rich print an empty line
            self._bar.stop()


class Assessment(output.Log):
    """The progress of an assessment, with which it can say how to continue after an interruption.

    It is a log handler because only the library's log tells the ID of a new job before the upload. It also prints the
    log, unless --verbose does.

    Args:
        screen: The console for states and the verdict.
        as_json: Whether to print JSON lines on stdout instead.
        job_id: The ID of an existing job.
    """

    def __init__(self, screen: Console, as_json: bool, job_id: str | None = None) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("metastudio: %(message)s"))
        self._screen, self._as_json, self._job_id = screen, as_json, job_id
        self._is_uploaded, self._is_half_way = job_id is not None, False
        self._bar = UploadBar(screen)

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record and remember the job's ID."""
        if not logging.root.handlers and not (output.is_quiet and record.levelno < logging.WARNING):
            super().emit(record)
        if record.levelno == logging.INFO and isinstance(record.args, tuple):
            self._job_id = str(record.args[0])

    def progress(self, sent: int, total: int) -> None:
        """Show the progress of the upload."""
        self._is_uploaded = sent == total
        if not self._as_json:
            self._bar.progress(sent, total)

    def update(self, job: ShortJob) -> None:
        """Show a change of the job's state."""
        if self._as_json:
            output.json_line(job.to_dict())
        elif not output.is_quiet:
            self._bar.stop()
            self._screen.print(render.state(job))

    def verdict(self, job: ShortJob) -> None:
        """Show the finished job; programs got it with its last change."""
        if not self._as_json:
            output.out.print(render.short_job(job))

    def say_how_to_go_on(self) -> None:
        """Print the command that continues an unfinished assessment."""
        if self._is_half_way and self._job_id and self._is_uploaded:
            output.say(f"To continue, run with the same options: metastudio assess --finish {self._job_id}")
        elif self._is_half_way and self._job_id:
            output.say(f"Short job {self._job_id} has no recording. To start again: metastudio assess FILE")

    def __enter__(self) -> Self:
        logger = logging.getLogger("metastudio")
        logger.addHandler(self)
        if not logger.level:
            logger.setLevel(logging.INFO)
        return self

    def __exit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> None:
        self._bar.stop()
        logging.getLogger("metastudio").removeHandler(self)
        self._is_half_way = isinstance(error, AssessmentInterrupted | WaitTimeout | KeyboardInterrupt)
        if isinstance(error, AssessmentInterrupted) and error.step == "upload":
            self._is_uploaded = False
        if isinstance(error, ShortJobFailed):
            self.verdict(error.job)
