"""The fixture `metastudio_fast_clock`: clients wait without real time, and the sandbox's jobs follow."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from metastudio import AsyncMetaStudio, MetaStudio, ShortJob, WaitTimeout
from metastudio_sandbox import Sandbox, faults, recordings
from metastudio_sandbox.fast_clock import FastClock

HOUR = 3600.0


@pytest.fixture(autouse=True)
def no_real_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any real pause of a client fails the test; the sandbox's own threads may pause."""
    asyncio_sleep, main = asyncio.sleep, threading.current_thread()

    def sleep(seconds: float) -> None:
        raise AssertionError(f"slept {seconds} s for real")

    async def async_sleep(seconds: float, result: Any = None) -> Any:
        assert threading.current_thread() is not main or seconds <= 0, f"slept {seconds} s for real"
        return await asyncio_sleep(seconds, result)

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(asyncio, "sleep", async_sleep)


async def asynchronous(call: Callable[[AsyncMetaStudio], Awaitable[Any]]) -> Any:
    async with AsyncMetaStudio() as studio:
        return await call(studio)


def wait(job_id: str, timeout: float, *, is_async: bool) -> ShortJob:
    if is_async:
        job: ShortJob = asyncio.run(asynchronous(lambda studio: studio.short_jobs.wait(job_id, timeout=timeout)))
        return job
    with MetaStudio() as studio:
        return studio.short_jobs.wait(job_id, timeout=timeout)


def polls(sandbox: Sandbox) -> Counter[str]:
    """How often each job was queried."""
    return Counter(seen.target.rpartition("/")[2] for seen in sandbox.exchanges)


@pytest.mark.parametrize("is_async", [False, True])
def test_hour_of_waiting(metastudio_sandbox: Sandbox, metastudio_fast_clock: FastClock, is_async: bool) -> None:
    job_id = metastudio_sandbox.add_job("WAITING")

    with pytest.raises(WaitTimeout):
        wait(job_id, HOUR, is_async=is_async)

    assert HOUR - 60 < metastudio_fast_clock.skipped < HOUR  # the rest passed while requests were in flight
    assert 100 < polls(metastudio_sandbox)[job_id] < 300


def test_hour_of_waiting_for_many(metastudio_sandbox: Sandbox, metastudio_fast_clock: FastClock) -> None:
    good = metastudio_sandbox.add_job(*["WAITING"] * 20, "SUCCEED")
    stuck = [metastudio_sandbox.add_job("WAITING")]

    async def outcomes(studio: AsyncMetaStudio) -> dict[str, Any]:
        waiting = studio.short_jobs.wait_many([good, *stuck], timeout=HOUR)
        return {outcome.job_id: outcome.error async for outcome in waiting}

    errors = asyncio.run(asynchronous(outcomes))

    assert errors[good] is None
    assert {type(errors[each]) for each in stuck} == {WaitTimeout}
    assert metastudio_fast_clock.skipped > HOUR - 60


@pytest.mark.parametrize("is_async", [False, True])
def test_running_job_follows(metastudio_sandbox: Sandbox, metastudio_fast_clock: FastClock, is_async: bool) -> None:
    """A job that takes ten minutes goes through its states."""
    metastudio_sandbox._service.jobs.duration = timedelta(minutes=10)
    states: list[Any] = []
    wav = recordings.wav(12)
    options: dict[str, Any] = {"timeout": HOUR, "on_update": lambda job: states.append(str(job.state))}

    if is_async:
        job = asyncio.run(asynchronous(lambda studio: studio.short_jobs.assess(wav, **options)))
    else:
        with MetaStudio() as studio:
            job = studio.short_jobs.assess(wav, **options)

    assert states == ["SYSTEM_AUDITING", "WAITING", "PROCESSING", "SUCCEED"]
    assert metastudio_sandbox.jobs[job.job_id]["state"] == "SUCCEED"
    assert 600 - 60 < metastudio_fast_clock.skipped < 700


@pytest.mark.parametrize("is_async", [False, True])
def test_retries_take_no_time(metastudio_sandbox: Sandbox, metastudio_fast_clock: FastClock, is_async: bool) -> None:
    """Of a throttled request, and of an upload."""
    metastudio_sandbox.inject(faults.throttled(retry_after=50))
    metastudio_sandbox.inject_upload(faults.upload_error(503, "SlowDown"), times=2)
    wav = recordings.wav(12)

    if is_async:
        asyncio.run(asynchronous(lambda studio: studio.short_jobs.assess(wav, timeout=60)))
    else:
        with MetaStudio() as studio:
            studio.short_jobs.assess(wav, timeout=60)

    assert metastudio_fast_clock.skipped > 50
    statuses = Counter(seen.status for seen in metastudio_sandbox.exchanges)
    assert (statuses[429], statuses[503]) == (1, 2)


def test_waits_of_threads_are_independent(metastudio_sandbox: Sandbox, metastudio_fast_clock: FastClock) -> None:
    """A minute in one thread is a minute, whatever another thread of the same client has skipped."""
    first, second = metastudio_sandbox.add_job("WAITING"), metastudio_sandbox.add_job("WAITING")
    with MetaStudio() as studio, ThreadPoolExecutor() as pool:
        with pytest.raises(WaitTimeout):
            studio.short_jobs.wait(first, timeout=HOUR / 4)
        assert isinstance(pool.submit(studio.short_jobs.wait, second, timeout=60).exception(), WaitTimeout)

    assert 4 <= polls(metastudio_sandbox)[second] <= 15


def test_waits_of_tasks_are_independent(metastudio_sandbox: Sandbox, metastudio_fast_clock: FastClock) -> None:
    jobs = {metastudio_sandbox.add_job("WAITING"): 60.0 * 20**n for n in range(2) for _ in range(2)}

    async def waits(studio: AsyncMetaStudio) -> list[Any]:
        waiting = [studio.short_jobs.wait(job_id, timeout=timeout) for job_id, timeout in jobs.items()]
        return await asyncio.gather(*waiting, return_exceptions=True)

    errors = asyncio.run(asynchronous(waits))

    assert {type(error) for error in errors} == {WaitTimeout}
    made = polls(metastudio_sandbox)
    for job_id, timeout in jobs.items():
        assert (4 <= made[job_id] <= 15) if timeout == 60 else made[job_id] > 40


def test_what_is_fast(request: pytest.FixtureRequest, metastudio_sandbox: Sandbox) -> None:
    """Clients that are created with the fixture, in everything that they wait for; no other client."""
    before = MetaStudio().short_jobs
    clock = request.getfixturevalue("metastudio_fast_clock")
    sync, asynchronous = MetaStudio().short_jobs, AsyncMetaStudio().short_jobs

    assert (sync._caller.sleep, sync._uploader.sleep) == (clock.sleep, clock.sleep)
    assert (asynchronous._caller.sleep, asynchronous._uploader.sleep) == (clock.async_sleep, clock.async_sleep)
    for pace in sync.paces.values():
        pace.throttled(1, 2, 60)
        assert (pace.go(3), pace.next, pace.go(3)) == (0, 0, 0)
    assert clock.sleep not in {before._caller.sleep, before._uploader.sleep}
