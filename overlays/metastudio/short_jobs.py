"""`ShortJobs`: each operation is one short method here, and one in `async_short_jobs`."""

from collections.abc import Collection
from functools import partial
from types import NoneType

from huaweicloud_auth import Secret
from metastudio_client.api.short_jobs import (
    commit_short_job,
    create_short_job,
    show_short_job,
    show_tenant_duration_cfg,
)
from metastudio_client.models import CreatedShortJob, CreateShortJobRequest, ShortJob, TenantDurationCfg

from . import operations, validation
from .assess import assessing, committing, finishing
from .attempt import Call
from .calls import Caller
from .limits import RecordingLimits
from .operations import Operations, on
from .pace import Pace
from .polling import FAILURE_STATES, SUCCESS_STATES, Goal, OnUpdate
from .recording_source import Recording
from .recordings import prepare
from .upload import Uploader
from .upload_body import Body, File, OnProgress, Source


class ShortJobs(Operations):
    """The short jobs of one project, `studio.short_jobs`."""

    def __init__(self, caller: Caller, uploader: Uploader, app_user_id: str | None, paces: dict[str, Pace]) -> None:
        super().__init__(app_user_id, paces)
        self._caller, self._uploader = caller, uploader

    def show(
        self,
        job_id: str,
        *,
        app_user_id: str | None = None,
        max_retries: int | None = None,
        total_timeout: float | None = None,
    ) -> ShortJob:
        """Return a short job's details.

        Args:
            job_id: The job's ID.
            app_user_id: Sent as `X-App-UserId`, instead of the client's.
            max_retries: The retries of this call, instead of the client's.
            total_timeout: Seconds for this call with its retries, instead of the client's.

        Raises:
            ConfigurationError: An argument is malformed; nothing was sent.
            APIConnectionError: No response was received.
            APIStatusError: The gateway or the service rejected the request; the subclass says why.
            APIResponseValidationError: The response does not describe this short job.
        """
        return self._show(job_id, app_user_id, self._caller.new(max_retries, total_timeout))

    def create(
        self, *, job_type: str = "VOICE_ASSESS", language: str = "CN", app_user_id: str | None = None
    ) -> CreatedShortJob:
        """Create a short job; return its ID, and the URL to upload its recording to, which is a secret.

        It is retried if the response is lost, since a job that is never committed does not run (inferred).
        """
        body, call = operations.creation(job_type, language), self._caller.new(repeatable=True)
        return self._create(body, self._user(app_user_id), call)

    def upload(self, url: str, file: Source, *, on_progress: OnProgress | None = None) -> None:
        """Upload a file unchanged (a zip with the recording in it) to the URL of `create`; no credentials are sent.

        Args:
            url: The `data_uploading_url` that `create` returned.
            file: A path, or an open binary file.
            on_progress: Called with the number of bytes sent and the total. A retry starts again from 0.

        Raises:
            ConfigurationError: The file cannot be read, or the URL is invalid; nothing was sent.
            UploadError, APIConnectionError: Object storage rejected the upload, or did not respond.
        """
        url = Secret(url)  # first, for tracebacks with locals
        self._upload(url, File(file), on_progress)

    def commit(self, job_id: str, *, app_user_id: str | None = None) -> None:
        """Start a job whose recording was uploaded. If the response is lost, the job is queried before a retry."""
        operations.run(on(self), committing(validation.path_id("job_id", job_id), self._user(app_user_id)))

    def limits(self) -> RecordingLimits:
        """Return the minimum and maximum length of a recording, in seconds."""
        found = self._caller.run(show_tenant_duration_cfg.sync, TenantDurationCfg, self._caller.new())
        return operations.recording_limits(found)

    def assess(
        self,
        recording: Recording,
        *,
        language: str = "CN",
        timeout: float,
        app_user_id: str | None = None,
        on_update: OnUpdate | None = None,
        on_progress: OnProgress | None = None,
    ) -> ShortJob:
        """Check a recording, pack it, create a job, upload, commit, and wait for the verdict.

        Args:
            recording: A path, bytes, or an open binary file: a WAV (packed into a zip), or a ready zip.
            language: CN or EN.
            timeout: Seconds to wait after the commit. Nothing is sent after that.
            app_user_id: As for `show`.
            on_update: As for `wait`.
            on_progress: As for `upload`.

        Raises:
            ConfigurationError: The recording or an argument cannot be used; no job was created.
            ShortJobFailed, WaitTimeout: As for `wait`; after a `WaitTimeout`, `finish` continues.
            AssessmentInterrupted: Another error after the job was created. It has the step and the job's ID.
        """
        goal = Goal(timeout, SUCCESS_STATES, FAILURE_STATES, on_update)
        user, body = self._user(app_user_id), operations.warn(prepare(recording))
        body.check_length(self._recording_limits())
        return operations.run(on(self), assessing(body, language, user, goal.timeout, on_update, on_progress))

    def finish(
        self, job_id: str, *, timeout: float, app_user_id: str | None = None, on_update: OnUpdate | None = None
    ) -> ShortJob:
        """Continue a job whose recording was uploaded: commit it if it is not committed yet, and wait."""
        goal, user = Goal(timeout, SUCCESS_STATES, FAILURE_STATES, on_update), self._user(app_user_id)
        return operations.run(on(self), finishing(validation.path_id("job_id", job_id), user, goal.timeout, on_update))

    def wait(
        self,
        job_id: str,
        *,
        timeout: float,
        app_user_id: str | None = None,
        on_update: OnUpdate | None = None,
        success: Collection[str] = SUCCESS_STATES,
        failure: Collection[str] = FAILURE_STATES,
    ) -> ShortJob:
        """Poll a short job until it is finished, and return it.

        The first poll is sent at once, the next ones at growing intervals of up to 30 seconds. After a failed poll,
        the wait continues if another one may succeed.

        Args:
            job_id: The job's ID.
            timeout: Seconds to wait. Nothing is sent after that.
            app_user_id: As for `show`.
            on_update: Called with the job whenever its response has changed.
            success: The states in which the job is returned.
            failure: The states in which `ShortJobFailed` is raised, unless they are in `success`. Any other state
                means that the job is running.

        Raises:
            ShortJobFailed, WaitTimeout: The job ended in a failure state, or did not finish in time.
            MetaStudioError: An error of `show` that another poll would not fix.
        """
        (wait,) = operations.waits([job_id], Goal(timeout, success, failure, on_update), self._caller.clock)
        while wait.seconds_left() > 0:
            self._pause(wait.turn(self.paces["show"]))
            job = None
            with wait.forgiving(self.paces["show"]):
                job = self._show(job_id, app_user_id, self._caller.within(wait.seconds_left()))
            if job is not None and wait.take(job):
                return job
            self._pause(wait.delay())
        raise wait.timed_out()  # the sleep took longer than requested

    def _show(self, job_id: str, app_user_id: str | None, call: Call) -> ShortJob:
        job_id, user = validation.path_id("job_id", job_id), self._user(app_user_id)
        operation = partial(show_short_job.sync, job_id=job_id, x_app_user_id=user)
        return self._caller.run(operation, ShortJob, call, partial(operations.wrong_job, job_id))

    def _create(self, body: CreateShortJobRequest, app_user_id: str | None, call: Call) -> CreatedShortJob:
        operation = partial(create_short_job.sync, body=body, x_app_user_id=app_user_id)
        return operations.secret(self._caller.run(operation, CreatedShortJob, call, operations.wrong_creation))

    def _create_paced(self, language: str, app_user_id: str | None) -> CreatedShortJob:
        call = self._caller.new(repeatable=True, pace=self.paces["create"])
        return self._create(operations.creation("VOICE_ASSESS", language), app_user_id, call)

    def _upload(self, url: Secret, body: Body, on_progress: OnProgress | None, job_id: str | None = None) -> None:
        self._uploader.upload(url, body, on_progress, job_id)

    def _commit_paced(self, job_id: str, app_user_id: str | None) -> None:
        operation = partial(commit_short_job.sync, job_id=job_id, x_app_user_id=app_user_id)
        self._caller.run(operation, NoneType, self._caller.new(pace=self.paces["commit"]))

    def _recording_limits(self) -> RecordingLimits:
        if self._known_limits is None:
            with operations.unknown_limits():
                self._known_limits = self.limits()
        return self._known_limits or RecordingLimits()

    def _pause(self, seconds: float) -> None:
        if seconds > 0:
            self._caller.sleep(seconds)
