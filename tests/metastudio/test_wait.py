"""Waiting for one job, with both clients; time does not pass."""

import asyncio
import copy
import pickle
import threading
from typing import Any

import pytest

from metastudio import (
    APIConnectionError,
    AsyncMetaStudio,
    BadRequestError,
    ConfigurationError,
    JobState,
    MetaStudio,
    ShortJob,
    ShortJobFailed,
    WaitTimeout,
)
from metastudio.polling import FAILURE_STATES, MAX_INTERVAL, SUCCESS_STATES
from metastudio_sandbox import Sandbox, faults
from support.raw_server import RawServer
from support.sessions import Connect


def test_finished_job_returns_at_once(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    session = connect(**options)

    assert session.wait(sandbox.add_job("SUCCEED"), timeout=10).state is JobState.SUCCEED
    assert session.slept == []


def test_polls_until_job_is_finished(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    states = ["CREATING", "WAITING", "WAITING", "HIBERNATING", "PROCESSING", "SUCCEED"]
    seen: list[Any] = []
    session = connect(**options)

    job = session.wait(sandbox.add_job(*states), timeout=600, on_update=lambda job: seen.append(job.state))

    assert job.assess_result
    assert seen == ["CREATING", "WAITING", "HIBERNATING", "PROCESSING", "SUCCEED"], "once for each change"
    assert len(session.slept) == len(states) - 1


@pytest.mark.parametrize("state", sorted(FAILURE_STATES))
def test_failed_job_raises_with_job(connect: Connect, options: dict[str, Any], sandbox: Sandbox, state: str) -> None:
    job_id = sandbox.add_job("PROCESSING", state)

    with pytest.raises(ShortJobFailed) as caught:
        connect(**options).wait(job_id, timeout=600)

    assert (caught.value.job.job_id, caught.value.job.state) == (job_id, state)
    assert str(caught.value) == (
        f"short job {job_id} ended in {state} (INVENTED.0001: Invented: the recording could not be read.)"
    )


@pytest.mark.parametrize("state", sorted(set(JobState) - SUCCESS_STATES - FAILURE_STATES))
def test_other_states_are_running(connect: Connect, options: dict[str, Any], sandbox: Sandbox, state: str) -> None:
    with pytest.raises(WaitTimeout):
        connect(**options).wait(sandbox.add_job(state), timeout=3)


def test_states_can_be_passed(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    session = connect(**options)

    assert session.wait(sandbox.add_job("AUDIT_FAILED"), timeout=9, failure=[], success=["AUDIT_FAILED"]).job_id
    with pytest.raises(ShortJobFailed):
        session.wait(sandbox.add_job("HIBERNATING"), timeout=9, failure=["HIBERNATING"])


def test_timeout_has_last_job(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    session = connect(**options)

    with pytest.raises(WaitTimeout) as caught:
        session.wait(job_id := sandbox.add_job("WAITING", "PROCESSING"), timeout=600)

    assert caught.value.job is not None
    assert caught.value.job.state is JobState.PROCESSING
    assert str(caught.value) == f"short job {job_id} did not finish within 600 s; its last state was PROCESSING"
    assert sum(session.slept) == pytest.approx(599), "the last question is asked a second before the end"


def test_intervals_grow_to_cap_with_jitter(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    session = connect(**options)
    with pytest.raises(WaitTimeout):
        session.wait(sandbox.add_job("WAITING"), timeout=600)

    slept = session.slept[:-1]
    bounds = [min(MAX_INTERVAL, 2 * 1.5**n) for n in range(len(slept))]
    assert all(bound / 2 <= each <= bound for each, bound in zip(slept, bounds, strict=True))
    assert len({round(each, 6) for each in slept[-5:]}) == 5
    assert 20 <= len(slept) <= 45


@pytest.mark.parametrize(
    "fault",
    [
        faults.lost,
        faults.cut,
        faults.html(503),
        faults.html(200),
        faults.throttled(),
        faults.throttled(retry_after=10_000),
        faults.status(500, "APIGW.0601"),
        faults.changed(assess_result="excellent"),
    ],
)
def test_lost_response_does_not_end_wait(
    connect: Connect, options: dict[str, Any], sandbox: Sandbox, fault: faults.Fault
) -> None:
    session = connect(**options, max_retries=0)
    job_id = sandbox.add_job("WAITING", "WAITING", "SUCCEED")
    sandbox.inject(fault, times=2)

    assert session.wait(job_id, timeout=600).state is JobState.SUCCEED


def test_last_failure_is_cause(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    with pytest.raises(WaitTimeout, match="there was no response") as caught:
        connect(**raw_options).wait("j", timeout=60)

    assert isinstance(caught.value.__cause__, APIConnectionError)
    assert caught.value.job is None


def test_permanent_error_ends_wait(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    session = connect(**options)
    with pytest.raises(BadRequestError):
        session.wait("unknown", timeout=600)
    assert session.slept == []


def test_retries_keep_to_the_deadline_too(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    session = connect(**options, max_retries=100)
    sandbox.inject(faults.throttled(retry_after=25), times=4)

    with pytest.raises(WaitTimeout):
        session.wait(sandbox.add_job("WAITING"), timeout=60)

    assert sum(session.slept) <= 59.001
    sandbox._service.faults._coming.clear()


def test_no_poll_after_long_sleep(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    session = connect(**options)
    session.clock.late = 60
    before = len(sandbox.exchanges)

    with pytest.raises(WaitTimeout) as caught:
        session.wait(sandbox.add_job("WAITING"), timeout=30)

    assert caught.value.__cause__ is None
    assert len(sandbox.exchanges) == before + 1


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan"), "5", None])
def test_invalid_timeout_raises(connect: Connect, raw_options: dict[str, Any], timeout: Any) -> None:
    with pytest.raises(ConfigurationError, match="timeout must be a number above 0"):
        connect(**raw_options).wait("j", timeout=timeout)


def test_malformed_job_id_raises(connect: Connect, raw_options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"^job_id must"):
        connect(**raw_options).wait("a/b", timeout=5)


def test_error_of_callback_is_raised(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    def on_update(_: ShortJob) -> None:
        raise error

    for error in (ZeroDivisionError(), APIConnectionError("of another service, say")):
        with pytest.raises(type(error)) as caught:
            connect(**options).wait(sandbox.add_job("WAITING"), timeout=5, on_update=on_update)
        assert caught.value is error


async def _async_callback(_: ShortJob) -> None: ...


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"success": "SUCCEED"}, "success must be a collection of strings"),
        ({"failure": "FAILED"}, "failure must be a collection of strings"),
        ({"failure": [None]}, "failure must be a collection of strings"),
        ({"failure": 7}, "failure must be a collection of strings"),
        ({"on_update": 42}, "on_update must be a function"),
        ({"on_update": _async_callback}, "on_update must be a function, and not an async one"),
    ],
)
def test_invalid_arguments_raise(connect: Connect, raw_options: dict[str, Any], change: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        connect(**raw_options).wait("j", **{"timeout": 5, **change})


def test_response_without_job_id(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    server.answer(b'{"job_id": null, "state": "FAILED"}')

    with pytest.raises(ShortJobFailed, match="short job j ended in FAILED") as caught:
        connect(**raw_options).wait("j", timeout=5)
    assert caught.value.job.job_id == "j"


def test_errors_of_a_wait_travel(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    session = connect(**options)
    with pytest.raises(ShortJobFailed) as failed:
        session.wait(sandbox.add_job("FAILED"), timeout=5)
    with pytest.raises(WaitTimeout) as timed_out:
        session.wait(sandbox.add_job("WAITING"), timeout=5)

    for error in (failed.value, timed_out.value):
        travelled = pickle.loads(pickle.dumps(error))
        assert type(travelled) is type(error)
        assert travelled.args == error.args
        assert str(travelled) == str(error)


def test_jobs_travel(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    job = connect(**options).show(sandbox.add_job("WAITING"))

    for travelled in (pickle.loads(pickle.dumps(job)), copy.deepcopy(job), copy.copy(job)):
        assert travelled == job
        assert travelled.to_dict() == job.to_dict()
        assert travelled.assess_result is None


def test_interrupt_leaves_nothing_running(options: dict[str, Any], sandbox: Sandbox) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    threads = threading.active_count()
    with MetaStudio(**options) as studio:
        studio.short_jobs._caller.sleep = interrupted
        with pytest.raises(KeyboardInterrupt):
            studio.short_jobs.wait(sandbox.add_job("WAITING"), timeout=600)
        before = len(sandbox.exchanges)
        assert studio.short_jobs.show(sandbox.add_job("SUCCEED")).state is JobState.SUCCEED

    assert len(sandbox.exchanges) == before + 1
    assert threading.active_count() == threads


def test_cancelled_task_leaves_nothing_running(server: RawServer, raw_options: dict[str, Any]) -> None:
    async def main() -> set[asyncio.Task[Any]]:
        async with AsyncMetaStudio(**raw_options) as studio:
            server.answers.append(None)
            waiting = asyncio.create_task(studio.short_jobs.wait("j", timeout=600))
            await asyncio.to_thread(server.asked.acquire)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(main()) == set()


def test_timeout_names_last_failure(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    with pytest.raises(
        WaitTimeout, match=r"there was no response; the last poll failed: RemoteProtocolError|ReadError"
    ):
        connect(**raw_options).wait("j", timeout=3)
