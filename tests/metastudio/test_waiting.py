"""What decides when a wait asks next: one job's intervals, and the pace of many."""

import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from metastudio import APIConnectionError, MetaStudioError, ShortJob, ShortJobFailed, WaitTimeout
from metastudio.errors import APIResponseValidationError, status_error
from metastudio.pace import Pace
from metastudio.polling import FAILURE_STATES, SUCCESS_STATES, Goal, Wait
from support.virtual_time import Clock


def wait_for(timeout: float, clock: Callable[[], float], random: float = 1.0) -> Wait:
    return Wait("j", Goal(timeout, SUCCESS_STATES, FAILURE_STATES, None), clock, lambda: random)


def test_final_states() -> None:
    assert {str(each) for each in SUCCESS_STATES} == {"SUCCEED"}
    assert {str(each) for each in FAILURE_STATES} == {"FAILED", "SPLIT_FAILED", "AUDIT_FAILED"}


@pytest.mark.parametrize("random", [0.0, 0.5, 1.0])
def test_intervals_grow_from_2_to_30_seconds(random: float) -> None:
    wait = wait_for(1e9, Clock(), random)
    longest = [2, 3, 4.5, 6.75, 10.125, 15.1875, 22.78125, 30, 30]

    assert [wait.delay() for _ in longest] == pytest.approx([each * (1 + random) / 2 for each in longest])


def test_wait_has_no_upper_limit() -> None:
    wait = wait_for(1e9, Clock())

    assert [wait.delay() for _ in range(5000)][-1] == 30


def test_last_poll_is_a_second_before_timeout() -> None:
    clock = Clock()
    wait = wait_for(4, clock)

    for expected in (2, 1):
        assert wait.delay() == expected
        clock.sleep(expected)
    with pytest.raises(WaitTimeout):
        wait.delay()


LOST = [
    APIConnectionError("x"),
    status_error(httpx.Response(429, json={"error_code": "APIGW.0308"})),
    APIResponseValidationError("x", 200, httpx.Headers(), b""),
    status_error(httpx.Response(429, json={"error_code": "MSS.99999999"})),
    status_error(httpx.Response(500, html="<html>")),
    status_error(httpx.Response(520)),
]
FATAL = [
    MetaStudioError("x"),
    status_error(httpx.Response(400, json={"error_code": "MSS.00000003"})),
    status_error(httpx.Response(302)),
    status_error(httpx.Response(405, json={"error_code": "APIGW.0501"})),
]


@pytest.mark.parametrize("error", LOST, ids=repr)
def test_lost_response_is_remembered(error: MetaStudioError, caplog: pytest.LogCaptureFixture) -> None:
    wait = wait_for(60, Clock())
    with wait.forgiving():
        raise error

    assert wait.lost is error
    (said,) = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert said == f"Short job j: a poll failed, still waiting: {error}"


@pytest.mark.parametrize("error", FATAL, ids=repr)
def test_permanent_error_is_raised(error: MetaStudioError) -> None:
    wait = wait_for(60, Clock())
    with pytest.raises(MetaStudioError) as caught, wait.forgiving():
        raise error

    assert caught.value is error


def paced(rate: float, *steps: tuple[str, Any]) -> list[float]:
    """Return when the next request may go out after each step."""
    pace = Pace(rate)
    times = []
    for name, arguments in steps:
        getattr(pace, name)(*arguments)
        times.append(pace.next)
    return times


def test_rate_is_kept_after_late_request() -> None:
    assert paced(4, ("go", [10]), ("go", [10]), ("go", [10.6]), ("go", [20])) == [10.25, 10.5, 10.85, 20.25]


def test_throttling_halves_rate_for_a_while() -> None:
    assert paced(4, ("throttled", [9, 10, None]), ("go", [11])) == [10.5, 11.5]
    back = paced(4, ("throttled", [0, 0, None]), *[("answered", []), ("go", [100])] * 20)[2::2]
    assert [later - sooner for sooner, later in zip([100, *back], back, strict=False)] == pytest.approx(
        [max(0.25, 0.5 * 0.95**n) for n in range(1, 21)]
    )


def test_throttled_interval_is_at_most_ten_seconds() -> None:
    times = paced(4, *[("throttled", [n, n, None]) for n in range(0, 900, 100)])
    assert [time - n for n, time in zip(range(0, 900, 100), times, strict=True)] == [0.5, 1, 2, 4, 8, 10, 10, 10, 10]


def test_slow_rate_is_kept_when_throttled() -> None:
    assert paced(0.05, ("throttled", [0, 0, None]), ("go", [20])) == [20, 40]


def test_concurrent_requests_slow_rate_once() -> None:
    assert paced(4, *[("throttled", [sent, 10, None]) for sent in (9, 9.25, 9.5, 10)], ("go", [10.5]))[-1] == 11
    assert paced(4, ("throttled", [9, 10, None]), ("throttled", [10.5, 11, None]), ("go", [12]))[-1] == 13


@pytest.mark.parametrize(("seconds", "held_back"), [(0, 0), (7, 7), (60, 60), (61, 60), (10_000, 60)])
def test_retry_after_holds_all_up_to_a_minute(seconds: float, held_back: float) -> None:
    assert paced(4, ("throttled", [9, 10, seconds])) == [10 + held_back]


def test_later_retry_after_is_kept() -> None:
    assert paced(4, ("throttled", [9, 10, 30]), ("throttled", [11, 11, 5]), ("go", [12])) == [40, 40, 41]


@pytest.mark.parametrize(("asked", "longest"), [("1", 2), ("17", 17), ("60", 60), ("3600", 60), ("junk", 2)])
def test_retry_after_of_lost_response(asked: str, longest: float) -> None:
    wait = wait_for(600, Clock())
    with wait.forgiving():
        raise status_error(httpx.Response(429, headers={"Retry-After": asked}))

    assert wait.delay() == longest


def test_retry_after_ends_at_timeout() -> None:
    wait = wait_for(20, Clock())
    with wait.forgiving():
        raise status_error(httpx.Response(503, headers={"Retry-After": "30"}))

    assert wait.delay() == 19


def test_last_failure_is_cause() -> None:
    wait = wait_for(20, Clock())
    assert wait.timed_out().__cause__ is None
    with wait.forgiving():
        raise LOST[0]

    assert wait.timed_out().__cause__ is LOST[0]


def test_timeout_names_queried_job() -> None:
    seen: list[Any] = []
    wait = Wait("j", Goal(20, SUCCESS_STATES, FAILURE_STATES, lambda job: seen.append(job.job_id)), Clock())
    with pytest.raises(ShortJobFailed, match="short job j ended in FAILED"):
        wait.take(ShortJob(state="FAILED"))

    assert seen == ["j"]
    assert not wait.take(ShortJob(job_id="another"))
    assert seen == ["j", "another"], "what the service says is left as it is"


def test_success_state_wins_over_failure() -> None:
    wait = Wait("j", Goal(10, {"FAILED"}, FAILURE_STATES, None), Clock())

    assert wait.take(ShortJob(state="FAILED"))
