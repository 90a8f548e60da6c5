"""The jobs of the sandbox: added by a test, or created, uploaded to and committed through the API."""

import threading
import uuid
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from . import contract as contracts
from .assessment import Outcome

_OPEN: Final = frozenset({"CREATING", "UPLOADING"})
_STEPS: Final = ("SYSTEM_AUDITING", "WAITING", "PROCESSING")  # inferred: the order
#: The sandbox keeps this many jobs. A new one replaces the oldest.
MAX_JOBS: Final = 20_000


@attrs.define
class Task:
    """The internal state of a created job, which no response contains."""

    app_user_id: str | None
    language: str | None
    outcome: Outcome | None = None  #: the outcome of the upload; None before an upload
    committed: datetime | None = None  #: when it was committed; None while it is not running


@attrs.define
class Jobs:
    """The jobs by ID. Three threads use them: those of the service and the storage, and the test's."""

    contract: dict[str, Any]
    gateway_now: Callable[[], datetime]
    duration: timedelta
    details: dict[str, dict[str, Any]] = attrs.field(factory=dict)  #: as the service returns them
    tasks: dict[str, Task] = attrs.field(factory=dict)
    _upcoming: dict[str, deque[str]] = attrs.field(factory=dict)
    _ahead: timedelta = timedelta()
    _lock: threading.RLock = attrs.field(factory=threading.RLock)

    def now(self) -> datetime:
        """Return the time by which jobs run: the gateway's, and what was skipped."""
        return self.gateway_now() + self._ahead

    def advance(self, seconds: float) -> None:
        """Skip `seconds`."""
        with self._lock:
            self._ahead += timedelta(seconds=seconds)

    def add(self, job_id: str, *states: str) -> None:
        """Add a job. With several states, it advances to the next after each `show`."""
        with self._lock:
            self._forget(job_id)
            self._set(job_id, states[0])
            if len(states) > 1:
                self._upcoming[job_id] = deque(states[1:])
            self._limit()

    def move(self, job_id: str, state: str) -> None:
        """Put a job into another state; it stays there."""
        with self._lock:
            if task := self.tasks.get(job_id):
                task.committed = None
            self._upcoming.pop(job_id, None)
            self._set(job_id, state)
            self._limit()

    def shown(self, job_id: str) -> dict[str, Any] | None:
        """Return the job or None; then advance it if it has further states."""
        with self._lock:
            self._refresh(job_id)
            job = self.details.get(job_id)
            if upcoming := self._upcoming.get(job_id):
                self._set(job_id, upcoming.popleft())
            return job

    def create(self, wanted: dict[str, Any], app_user_id: str | None) -> str:
        """Create a job and return its ID."""
        job_id, created = str(uuid.uuid4()), int(self.now().timestamp())
        times = {"create_time": created, "lastupdate_time": created}
        job = contracts.short_job(self.contract, job_id, "CREATING") | times
        with self._lock:
            self.tasks[job_id] = Task(app_user_id, wanted.get("language"))
            self.details[job_id] = job | {"job_type": wanted.get("job_type", job["job_type"])}
            self._limit()
        return job_id

    def is_uploaded(self, job_id: str) -> bool:
        """Return whether the job has an upload."""
        task = self.tasks.get(job_id)
        return task is not None and task.outcome is not None

    def upload(self, job_id: str, outcome: Outcome) -> None:
        """Store the outcome of an upload, unless the job was already committed."""
        with self._lock:
            task, job = self.tasks.get(job_id), self.details.get(job_id)
            if task is None or job is None or job.get("state") not in _OPEN:
                return
            task.outcome = outcome
            self._update(job_id, "UPLOADING", self.now())

    def commit(self, job_id: str) -> bool:
        """Start a job; return whether that was possible.

        inferred: a commit before an upload is rejected, and so is a second one.
        """
        with self._lock:
            task, job = self.tasks.get(job_id), self.details.get(job_id)
            if task is None or job is None or task.outcome is None or job.get("state") not in _OPEN:
                return False
            task.committed = self.now()
            self._update(job_id, _STEPS[0], task.committed)
            return True

    def refresh(self) -> None:
        """Advance the running jobs to their current states."""
        with self._lock:
            for job_id in self.tasks:
                self._refresh(job_id)

    def _refresh(self, job_id: str) -> None:
        task = self.tasks.get(job_id)
        if task and task.committed is not None and task.outcome is not None:
            self._move_on(job_id, task, task.committed, task.outcome)

    def _move_on(self, job_id: str, task: Task, committed: datetime, outcome: Outcome) -> None:
        elapsed = max(self.now() - committed, timedelta())
        if elapsed >= self.duration:
            task.committed = None  # the job has ended, even if the clock goes back
            self._update(job_id, outcome.state, committed + self.duration, outcome.fields)
            return
        step = int(len(_STEPS) * (elapsed / self.duration))
        self._update(job_id, _STEPS[step], committed + step * self.duration / len(_STEPS))

    def _update(self, job_id: str, state: str, when: datetime, fields: dict[str, Any] | None = None) -> None:
        """Put a job into another state; changes made by a test are kept."""
        job = self.details.get(job_id)
        if job is None or job.get("state") == state:
            return
        changed = {"state": state, "lastupdate_time": int(when.timestamp())}
        self.details[job_id] = job | changed | (fields or {})  # a copy: another thread may be serializing the old one

    def _set(self, job_id: str, state: str) -> None:
        self.details[job_id] = contracts.short_job(self.contract, job_id, state)

    def _limit(self) -> None:
        """Forget the oldest jobs above the limit."""
        for table in (self.details, self.tasks):  # a test may have removed a job from `details`
            while len(table) > MAX_JOBS:
                self._forget(next(iter(table)))

    def _forget(self, job_id: str) -> None:
        for table in (self.details, self.tasks, self._upcoming):
            table.pop(job_id, None)
