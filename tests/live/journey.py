"""One assessment of a generated recording, step by step: what each step was answered, and how long it took."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Final, cast

import attrs
import httpx

from huaweicloud_auth import Secret
from live import describing
from live.answers import Answers
from live.describing import refused, shape, told
from metastudio import CreatedShortJob, MetaStudio, MetaStudioError, ShortJob, ShortJobFailed, metrics
from metastudio.polling import OnUpdate
from metastudio.recordings import prepare
from metastudio_sandbox import recordings

USER: Final = "live-test-1"
ANOTHER_USER: Final = "live-test-2"
WAIT_SECONDS: Final = 1800


@attrs.define
class Journey:
    """An assessment on its way.

    Attributes:
        job_id: The job; empty until it was created.
    """

    studio: MetaStudio
    heard: list[httpx.Response]
    answer: Answers
    job_id: str = ""

    def create(self) -> CreatedShortJob:
        """Create the job, for a user of its own."""
        with self._step("create"):
            created = self.studio.short_jobs.create(language="CN", app_user_id=USER)
        self.job_id, url = str(created.job_id), str(created.data_uploading_url)
        self.answer.ids.add(self.job_id)
        self.answer("create: fields", shape(self.heard[-1].json()))
        self.answer("create: form of the job ID", describing.form(self.job_id))
        self.answer("create: form of the upload URL", describing.url_form(url))
        self.answer("create: the upload URL serves for", describing.life(url))
        self._look("create")
        return created

    def upload(self, created: CreatedShortJob) -> None:
        """Upload the recording, packed as `assess` does it."""
        body = prepare(recordings.wav(seconds=20))
        with self._step("upload"):
            self.studio.short_jobs._upload(cast("Secret", created.data_uploading_url), body, None)
        self.answer("upload: bytes", body.size)
        self._look("upload")

    def commit(self) -> None:
        """Start the job."""
        with self._step("commit"):
            self.studio.short_jobs.commit(self.job_id, app_user_id=USER)
        response = [each for each in self.heard if each.request.method == "POST"][-1]
        self.answer("commit: response", f"{response.status_code}, {len(response.content)} bytes")

    def wait(self) -> ShortJob:
        """Wait for the verdict; a job that failed is one, too."""
        started, states = monotonic(), dict[str, str]()

        def note(job: ShortJob) -> None:
            states.setdefault(str(job.state), f"{job.state} ({monotonic() - started:.1f} s)")

        try:
            with self._step("wait"):
                return self._finished(note)
        finally:
            self.answer("wait: states seen, seconds after the commit", ", ".join(states.values()))

    def _finished(self, note: OnUpdate) -> ShortJob:
        try:
            return self.studio.short_jobs.wait(self.job_id, timeout=WAIT_SECONDS, app_user_id=USER, on_update=note)
        except ShortJobFailed as failed:
            return failed.job

    def tell(self, job: ShortJob) -> None:
        """Record the verdict, values included: the recording is nobody's."""
        self.answer("verdict: fields", shape(self.heard[-1].json()))
        self.answer("verdict: job_failed_code", job.job_failed_code or "none")
        self.answer("verdict: job_failed_reason", job.job_failed_reason or "none")
        self.answer("verdict: lastupdate_time", describing.unit_and_age(job.lastupdate_time))
        for name, metric in metrics(job).items():
            self.answer(f"verdict: {name}", describing.measured(metric))
        self.answer("verdict: suggestion", (job.assess_result and job.assess_result.suggestion) or "none")

    def show_to_others(self) -> None:
        """Query the job as another user, and as none."""
        show = partial(refused, self.studio.short_jobs.show, self.job_id)
        self.answer("The job, shown to another X-App-UserId", told(show(app_user_id=ANOTHER_USER)))
        self.answer("The job, shown without X-App-UserId", told(show()))

    def _look(self, step: str) -> None:
        """Record what the job is after a step."""
        job = self.studio.short_jobs.show(self.job_id, app_user_id=USER)
        self.answer(f"{step}: state of the job afterwards", job.state)
        self.answer(f"{step}: fields of the job afterwards", shape(self.heard[-1].json()))
        self.answer(f"{step}: create_time", describing.unit_and_age(job.create_time))
        self.answer(f"{step}: lastupdate_time", describing.unit_and_age(job.lastupdate_time))

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        """Record how a step ended."""
        started, outcome = monotonic(), "accepted"
        try:
            yield
        except MetaStudioError as error:
            outcome = told(error)
            raise
        finally:
            self.answer(name, f"{outcome}, after {monotonic() - started:.1f} s")
