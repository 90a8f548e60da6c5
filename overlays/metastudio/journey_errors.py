"""Errors between a recording and its verdict, besides those that each call raises."""

import re
from typing import Final

import attrs
import httpx

from .errors import ConfigurationError, MetaStudioError, printable

#: Codes of object storage after which a retry may succeed.
_PASSING: Final = {"RequestTimeout", "InternalError", "ServiceUnavailable", "SlowDown"}
_HINTS: Final = {
    "SignatureDoesNotMatch": "Something changed the upload on the way: its content type and headers are signed",
    "AccessDenied": "The upload URL has expired or was already used: create another job",
    "RequestTimeTooSkewed": "The clock of this machine is wrong",
    "EntityTooLarge": "An upload can have at most 5 GB",
    "RequestTimeout": "The connection is too slow",
}


class RecordingError(ConfigurationError):
    """A recording cannot be used: it is missing, empty, malformed, too short or long, or changed while it was read."""


@attrs.define(slots=False, repr=False)
class UploadError(MetaStudioError):
    """Object storage rejected an upload.

    Attributes:
        status_code: The HTTP status.
        code: The code of object storage, for example `AccessDenied`, or None.
        message: The message of object storage, or None.
        request_id: Quote it when asking for support.
    """

    status_code: int
    code: str | None
    message: str | None
    request_id: str | None

    @property
    def hint(self) -> str | None:
        """What to do about it, or None."""
        return _HINTS.get(self.code or "")

    @property
    def is_expired(self) -> bool:
        """Whether the URL can no longer be used: it has expired, or was already used."""
        return self.code == "AccessDenied"

    @property
    def is_passing(self) -> bool:
        """Whether a retry of the upload may succeed."""
        return self.code in _PASSING or (self.code is None and self.status_code >= 500)

    def __str__(self) -> str:
        said = printable(f"{self.code or '(no code)'}: {self.message or 'no message'}", 200)
        request_id = f" (request ID {printable(self.request_id, 80)})" if self.request_id else ""
        return f"the upload was rejected: {self.status_code} {said}{request_id}" + (
            f" - {self.hint}" if self.hint else ""
        )


@attrs.define(slots=False, repr=False)
class AssessmentInterrupted(MetaStudioError):  # noqa: N818  # the assessment was interrupted, and can continue
    """An assessment failed half-way; the cause says why. After the upload, `short_jobs.finish(job_id)` continues it.

    Attributes:
        step: The step that failed: `upload`, `commit` or `wait`.
        job_id: The job's ID, without which the job cannot be found again.
    """

    step: str
    job_id: str

    def __str__(self) -> str:
        return printable(f"the assessment of short job {self.job_id} failed at the {self.step}: {self.__cause__}", 400)


def upload_error(response: httpx.Response) -> UploadError:
    """Return the error for a response of object storage that is not 2xx. Its body may be XML or anything else."""
    body = response.text[:10_000]
    fields = {name: re.search(f"<{name}>([^<]*)</{name}>", body) for name in ("Code", "Message", "RequestId")}
    code, message, request_id = (match and match[1] for match in fields.values())
    return UploadError(response.status_code, code, message, request_id or response.headers.get("x-obs-request-id"))
