"""What decides when a wait asks next: one job's intervals, and the pace of many."""

import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from metastudio import APIConnectionError, MetaStudioError, WaitTimeout
from metastudio.errors import APIResponseValidationError, status_error
from metastudio.waiting import FAILURE_STATES, SUCCESS_STATES, Pace, Wait
from virtual_time import Clock


def wait_for(timeout: float, clock: Callable[[], float], random: float = 1.0) -> Wait:
    return Wait("j", timeout, SUCCESS_STATES, FAILURE_STATES, None, clock, lambda: random)


def test_the_states_that_end_a_wait() -> None:
    assert {str(each) for each in SUCCESS_STATES} == {"SUCCEED"}
    assert {str(each) for each in FAILURE_STATES} == {"FAILED", "SPLIT_FAILED", "AUDIT_FAILED"}


@pytest.mark.parametrize("random", [0.0, 0.5, 1.0])
def test_the_intervals_grow_by_half_from_two_seconds_to_thirty(random: float) -> None:
    wait = wait_for(1e9, Clock(), random)
    longest = [2, 3, 4.5, 6.75, 10.125, 15.1875, 22.78125, 30, 30]

    assert [wait.delay() for _ in longest] == pytest.approx([each * (1 + random) / 2 for each in longest])


def test_a_wait_may_go_on_for_as_long_as_one_likes() -> None:
    wait = wait_for(1e9, Clock())

    assert [wait.delay() for _ in range(5000)][-1] == 30


def test_the_last_question_is_asked_a_second_before_the_end() -> None:
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
]
FATAL = [MetaStudioError("x"), status_error(httpx.Response(400, json={"error_code": "MSS.00000003"}))]


@pytest.mark.parametrize("error", LOST, ids=repr)
def test_a_lost_answer_is_remembered_and_said(error: MetaStudioError, caplog: pytest.LogCaptureFixture) -> None:
    wait = wait_for(60, Clock())
    with wait.forgiving():
        raise error

    assert wait.lost is error
    (said,) = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert said == f"Short job j: an answer was lost, the wait goes on: {error}"


@pytest.mark.parametrize("error", FATAL, ids=repr)
def test_what_asking_again_would_not_help_is_raised(error: MetaStudioError) -> None:
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


def test_requests_follow_each_other_at_the_rate_however_late_one_was() -> None:
    assert paced(4, ("go", [10]), ("go", [10]), ("go", [10.6]), ("go", [20])) == [10.25, 10.5, 10.85, 20.25]


def test_throttled_it_asks_half_as_often_and_comes_back_bit_by_bit() -> None:
    assert paced(4, ("throttled", [10, None]), ("go", [11])) == [10.5, 11.5]
    back = paced(4, ("throttled", [0, None]), *[("answered", []), ("go", [100])] * 20)[2::2]
    assert [later - sooner for sooner, later in zip([100, *back], back, strict=False)] == pytest.approx(
        [max(0.25, 0.5 * 0.95**n) for n in range(1, 21)]
    )


def test_however_often_it_is_throttled_it_asks_again_within_ten_seconds() -> None:
    assert paced(4, *[("throttled", [0, None])] * 9) == [0.5, 1, 2, 4, 8, 10, 10, 10, 10]


@pytest.mark.parametrize(("seconds", "held_back"), [(0, 0), (7, 7), (60, 60), (61, 60), (10_000, 60)])
def test_all_are_held_back_for_as_long_as_the_gateway_asks_up_to_a_minute(seconds: float, held_back: float) -> None:
    assert paced(4, ("throttled", [10, seconds])) == [10 + held_back]


def test_a_later_time_is_kept() -> None:
    assert paced(4, ("throttled", [10, 30]), ("throttled", [11, 5]), ("go", [12])) == [40, 40, 41]
