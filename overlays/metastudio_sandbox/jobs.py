"""The jobs: those that a test put there, and those that are created, uploaded to and committed."""

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


@attrs.define
class Task:
    """What is known of a job that was created, and is in no answer."""

    app_user_id: str | None
    language: str | None
    outcome: Outcome | None = None  #: what becomes of the upload; None: there is none
    committed: datetime | None = None  #: since when it runs; None: it does not


@attrs.define
class Jobs:
    """The jobs by ID. Three threads use it: those of service and storage, and the test's."""

    contract: dict[str, Any]
    now: Callable[[], datetime]
    duration: timedelta
    answers: dict[str, dict[str, Any]] = attrs.field(factory=dict)  #: as they are answered
    tasks: dict[str, Task] = attrs.field(factory=dict)
    _upcoming: dict[str, deque[str]] = attrs.field(factory=dict)
    _lock: threading.RLock = attrs.field(factory=threading.RLock)

    def add(self, job_id: str, *states: str) -> None:
        """Put a job there. With several states it moves on to the next whenever it is shown."""
        with self._lock:
            self.tasks.pop(job_id, None)
            self._set(job_id, states[0])
            self._upcoming[job_id] = deque(states[1:])

    def move(self, job_id: str, state: str) -> None:
        """Put a job into another state. There it stays."""
        with self._lock:
            if task := self.tasks.get(job_id):
                task.committed = None
            self._upcoming.pop(job_id, None)
            self._set(job_id, state)

    def shown(self, job_id: str) -> dict[str, Any] | None:
        """Return the job as it is, or None; then move it on if it has states to come."""
        with self._lock:
            self.refresh()
            job = self.answers.get(job_id)
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
            self.answers[job_id] = job | {"job_type": wanted.get("job_type", job["job_type"])}
        return job_id

    def is_uploaded(self, job_id: str) -> bool:
        """Tell whether there is an upload."""
        task = self.tasks.get(job_id)
        return task is not None and task.outcome is not None

    def upload(self, job_id: str, outcome: Outcome) -> None:
        """Keep what becomes of an upload. A job that was committed stays as it is."""
        with self._lock:
            task, job = self.tasks.get(job_id), self.answers.get(job_id)
            if task is None or job is None or job.get("state") not in _OPEN:
                return
            task.outcome = outcome
            self._update(job_id, "UPLOADING", self.now())

    def commit(self, job_id: str) -> bool:
        """Let a job run; tell whether it can.

        inferred: it cannot if nothing was uploaded, nor a second time.
        """
        with self._lock:
            task, job = self.tasks.get(job_id), self.answers.get(job_id)
            if task is None or job is None or task.outcome is None or job.get("state") not in _OPEN:
                return False
            task.committed = self.now()
            self._update(job_id, _STEPS[0], task.committed)
            return True

    def refresh(self) -> None:
        """Move on what runs, to where it is by now."""
        with self._lock:
            for job_id, task in self.tasks.items():
                if task.committed is not None and task.outcome is not None:
                    self._move_on(job_id, task, task.committed, task.outcome)

    def _move_on(self, job_id: str, task: Task, committed: datetime, outcome: Outcome) -> None:
        elapsed = max(self.now() - committed, timedelta())
        if elapsed >= self.duration:
            task.committed = None  # it has ended, whatever the clock does from now on
            self._update(job_id, outcome.state, committed + self.duration, outcome.fields)
            return
        step = int(len(_STEPS) * (elapsed / self.duration))
        self._update(job_id, _STEPS[step], committed + step * self.duration / len(_STEPS))

    def _update(self, job_id: str, state: str, when: datetime, fields: dict[str, Any] | None = None) -> None:
        """Put a job into another state; what a test changed in it stays changed."""
        job = self.answers.get(job_id)
        if job is None or job.get("state") == state:
            return
        changed = {"state": state, "lastupdate_time": int(when.timestamp())}
        self.answers[job_id] = job | changed | (fields or {})  # a new one: another thread may be writing the old one

    def _set(self, job_id: str, state: str) -> None:
        self.answers[job_id] = contracts.short_job(self.contract, job_id, state)
