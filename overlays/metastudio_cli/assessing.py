"""What is shown of an assessment: a bar and a line for each state, or for programs a JSON line for each change."""

import logging
from types import TracebackType
from typing import Self

from rich import progress
from rich.console import Console

from metastudio import AssessmentInterrupted, ShortJob, ShortJobFailed, WaitTimeout

from . import output, render


class UploadBar:
    """The progress bar of an upload, where `screen` is a terminal; it is drawn from the first piece on."""

    def __init__(self, screen: Console) -> None:
        columns = (progress.BarColumn(), progress.DownloadColumn(), progress.TransferSpeedColumn())
        self._bar = progress.Progress("upload", *columns, console=screen)
        self._task = self._bar.add_task("upload", total=None)

    def progress(self, sent: int, total: int) -> None:
        """Take what was sent; a repeat of the upload starts again from 0."""
        if self._bar.console.is_terminal and not output.is_quiet:
            self._bar.start()
        self._bar.update(self._task, completed=sent, total=total)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Leave the bar as it is."""
        if self._bar.live.is_started:  # else older versions of rich print an empty line
            self._bar.stop()


class Assessment(output.Log):
    """What is known of an assessment: enough to say how to go on when it ends half-way.

    The library tells the ID of a new job in its log only, before the upload: hence a handler. It prints the log as
    well, unless --verbose does.

    Args:
        screen: Where people see states and verdict.
        as_json: Whether JSON lines are printed on stdout instead.
        job_id: The job, if there is one already.
    """

    def __init__(self, screen: Console, as_json: bool, job_id: str | None = None) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("metastudio: %(message)s"))
        self._screen, self._as_json, self._job_id = screen, as_json, job_id
        self._is_uploaded, self._is_half_way = job_id is not None, False
        self._bar = UploadBar(screen)

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record, and keep the ID of the job."""
        if not logging.root.handlers and not (output.is_quiet and record.levelno < logging.WARNING):
            super().emit(record)
        if record.levelno == logging.INFO and isinstance(record.args, tuple):
            self._job_id = str(record.args[0])

    def progress(self, sent: int, total: int) -> None:
        """Show how much of the recording was sent."""
        self._is_uploaded = sent == total
        if not self._as_json:
            self._bar.progress(sent, total)

    def update(self, job: ShortJob) -> None:
        """Show a change of the job."""
        if self._as_json:
            output.json_line(job.to_dict())
        elif not output.is_quiet:
            self._bar.stop()
            self._screen.print(render.state(job))

    def verdict(self, job: ShortJob) -> None:
        """Show the job at its end, which programs have from its last change."""
        if not self._as_json:
            output.out.print(render.short_job(job))

    def say_how_to_go_on(self) -> None:
        """Print the command with which an assessment that ended half-way goes on."""
        if self._is_half_way and self._job_id and self._is_uploaded:
            output.say(f"To go on, with the same options: metastudio assess --finish {self._job_id}")
        elif self._is_half_way and self._job_id:
            output.say(f"Short job {self._job_id} has no recording. To assess it anew: metastudio assess FILE")

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
