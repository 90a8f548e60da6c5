"""Waiting for many jobs: every one accounted for, one pace for all; time does not pass."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, TypeVar

import httpx
import pytest

from metastudio import (
    AkSkAuth,
    AsyncMetaStudio,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    Credentials,
    CredentialsError,
    InternalServerError,
    Outcome,
    PermissionDeniedError,
    ShortJobFailed,
    TokenAuth,
    WaitTimeout,
)
from metastudio_sandbox import Sandbox, faults
from support.raw_server import RawServer
from support.virtual_time import Loop

T = TypeVar("T")
START = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


@pytest.fixture
def sandbox(loop: Loop) -> Iterator[Sandbox]:
    """A sandbox on the loop's time, so that it knows when a request came."""
    with Sandbox(now=lambda: START + timedelta(seconds=loop.time()), validate=False) as running:
        yield running


def studio_of(sandbox: Sandbox, loop: Loop) -> AsyncMetaStudio:
    auth = AkSkAuth(sandbox.credentials, sandbox.project_id, now=lambda: START + timedelta(seconds=loop.time()))
    return AsyncMetaStudio(endpoint=sandbox.url, project_id=sandbox.project_id, auth=auth)


def studio_that_gets(answer: Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]) -> AsyncMetaStudio:
    options: dict[str, Any] = {"endpoint": "http://localhost", "project_id": "p", "auth": TokenAuth("a-token")}
    return AsyncMetaStudio(**options, transport=httpx.MockTransport(answer))


def run(loop: Loop, main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main)


async def collected(studio: AsyncMetaStudio, job_ids: list[str], **options: Any) -> dict[str, Outcome]:
    async with studio:
        return {each.job_id: each async for each in studio.short_jobs.wait_many(job_ids, **options)}


def gaps(sandbox: Sandbox) -> list[float]:
    """Return the seconds between the requests that the sandbox got."""
    return [(later.received - sooner.received).total_seconds() for sooner, later in pairwise(sandbox.exchanges)]


def test_each_job_has_outcome(loop: Loop, sandbox: Sandbox) -> None:
    good = [sandbox.add_job("WAITING", "PROCESSING", "SUCCEED") for _ in range(20)]
    failed = [sandbox.add_job("WAITING", "FAILED") for _ in range(5)]
    slow = [sandbox.add_job("WAITING") for _ in range(3)]

    outcomes = run(loop, collected(studio_of(sandbox, loop), [*good, *failed, *slow, "unknown", *good], timeout=300))

    assert len(outcomes) == 29
    assert [type(outcomes[each].error) for each in good] == [type(None)] * 20
    assert {str(getattr(outcomes[each].job, "state", None)) for each in good} == {"SUCCEED"}
    assert [type(outcomes[each].error) for each in failed] == [ShortJobFailed] * 5
    assert [type(outcomes[each].error) for each in slow] == [WaitTimeout] * 3
    assert type(outcomes["unknown"].error) is BadRequestError
    assert outcomes["unknown"].job is None


def test_pace_is_never_exceeded(loop: Loop, sandbox: Sandbox) -> None:
    job_ids = [sandbox.add_job(*["WAITING"] * 3, "SUCCEED") for _ in range(50)]

    outcomes = run(loop, collected(studio_of(sandbox, loop), job_ids, timeout=900, rate=5))

    assert all(each.error is None for each in outcomes.values())
    assert len(sandbox.exchanges) == 200
    assert min(gaps(sandbox)) >= 0.1999
    assert sum(gaps(sandbox)) < 60, "nor is it far below"


def test_throttling_slows_all_down(loop: Loop, sandbox: Sandbox) -> None:
    job_ids = [sandbox.add_job(*["WAITING"] * 2, "SUCCEED") for _ in range(40)]
    sandbox.inject(faults.throttled(retry_after=7))

    run(loop, collected(studio_of(sandbox, loop), job_ids, timeout=900, max_in_flight=1))

    (first, *others) = gaps(sandbox)
    assert first == pytest.approx(7, abs=0.01)
    assert others[0] == pytest.approx(0.2, abs=0.02), "half as often"
    assert min(others) == pytest.approx(0.1, abs=0.01), "and back to the rate"


def test_throttled_account_gets_fewer_requests(loop: Loop, sandbox: Sandbox) -> None:
    sandbox.inject_randomly([faults.throttled()], probability=1.0, seed=1)

    outcomes = run(loop, collected(studio_of(sandbox, loop), [sandbox.add_job() for _ in range(100)], timeout=600))

    assert {type(each.error) for each in outcomes.values()} == {WaitTimeout}
    assert len(sandbox.exchanges) < 80


def test_lost_answers_do_not_lose_a_job(loop: Loop, sandbox: Sandbox) -> None:
    job_ids = [sandbox.add_job("WAITING", *["SUCCEED"]) for _ in range(60)]
    sandbox.inject_randomly(
        [faults.lost, faults.cut, faults.html(200), faults.html(502), faults.status(500, "APIGW.0601")],
        probability=0.5,
        seed=7,
    )

    outcomes = run(loop, collected(studio_of(sandbox, loop), job_ids, timeout=3600))

    assert Counter(str(each.error) for each in outcomes.values()) == {"None": 60}


def refused_key(sandbox: Sandbox, loop: Loop) -> AsyncMetaStudio:
    wrong = Credentials(sandbox.credentials.ak, "a-wrong-secret-key")
    return AsyncMetaStudio(endpoint=sandbox.url, project_id=sandbox.project_id, credentials=wrong)


def refused_project(sandbox: Sandbox, loop: Loop) -> AsyncMetaStudio:
    auth = AkSkAuth(sandbox.credentials, "p", now=lambda: START + timedelta(seconds=loop.time()))
    return AsyncMetaStudio(endpoint=sandbox.url, project_id="p", auth=auth)


@pytest.mark.parametrize(
    ("studio", "error"), [(refused_key, AuthenticationError), (refused_project, PermissionDeniedError)]
)
def test_refusal_stops_all(
    loop: Loop, sandbox: Sandbox, studio: Callable[[Sandbox, Loop], AsyncMetaStudio], error: type[Exception]
) -> None:
    job_ids = [sandbox.add_job() for _ in range(500)]

    with pytest.raises(error):
        run(loop, collected(studio(sandbox, loop), job_ids, timeout=600))

    assert len(sandbox.exchanges) <= 3


def test_missing_credentials_stop_all(loop: Loop, sandbox: Sandbox) -> None:
    auth = AkSkAuth(lambda: None)  # type: ignore[arg-type, return-value]  # wrong on purpose
    studio = AsyncMetaStudio(endpoint=sandbox.url, project_id="p", auth=auth)

    with pytest.raises(ConfigurationError, match="callable"):
        run(loop, collected(studio, ["a", "b"], timeout=600))

    assert len(sandbox.exchanges) == 0


def test_failing_source_of_credentials_ends_the_wait(loop: Loop, sandbox: Sandbox) -> None:
    def broken() -> Credentials:
        raise ZeroDivisionError

    studio = AsyncMetaStudio(endpoint=sandbox.url, project_id="p", auth=AkSkAuth(broken))

    with pytest.raises(CredentialsError) as caught:
        run(loop, collected(studio, ["a", "b"], timeout=600))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_break_leaves_nothing_running(loop: Loop, sandbox: Sandbox) -> None:
    job_ids = [sandbox.add_job() for _ in range(50)]

    async def main() -> tuple[set[str], int, set[Any]]:
        async with studio_of(sandbox, loop) as studio:
            unfinished = set(job_ids)
            outcomes = studio.short_jobs.wait_many(job_ids, timeout=600)
            async for outcome in outcomes:
                unfinished.remove(outcome.job_id)
                if len(unfinished) == 40:
                    break
            await outcomes.aclose()
            sent = len(sandbox.exchanges)
            await asyncio.sleep(100)
            return unfinished, len(sandbox.exchanges) - sent, asyncio.all_tasks() - {asyncio.current_task()}

    unfinished, sent_later, tasks = run(loop, main())
    assert (len(unfinished), sent_later, tasks) == (40, 0, set())


def test_cancelled_wait_leaves_nothing_running(server: RawServer, raw_options: dict[str, Any]) -> None:
    async def main() -> set[Any]:
        async with AsyncMetaStudio(**raw_options) as studio:
            server.answers.append(None)

            async def wait() -> list[Outcome]:
                return [each async for each in studio.short_jobs.wait_many(["a", "b", "c"], timeout=600)]

            waiting = asyncio.create_task(wait())
            await asyncio.to_thread(server.asked.acquire)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(main()) == set()


def test_error_has_last_job(loop: Loop) -> None:
    answers = [httpx.Response(200, json={"state": "WAITING"}), httpx.Response(400)]

    async def answer(_: httpx.Request) -> httpx.Response:
        return answers.pop(0)

    (outcome,) = run(loop, collected(studio_that_gets(answer), ["j"], timeout=60)).values()

    assert type(outcome.error) is BadRequestError
    assert outcome.job is not None
    assert outcome.job.state == "WAITING"


def test_each_change_is_reported(loop: Loop, sandbox: Sandbox) -> None:
    told: list[tuple[str, str]] = []
    job_ids = [sandbox.add_job("WAITING", "WAITING", "PROCESSING", "SUCCEED") for _ in range(3)]
    studio = studio_of(sandbox, loop)

    run(
        loop,
        collected(studio, job_ids, timeout=600, on_update=lambda job: told.append((str(job.job_id), str(job.state)))),
    )

    assert Counter(told) == {(job, state): 1 for job in job_ids for state in ("WAITING", "PROCESSING", "SUCCEED")}


def test_number_in_flight_is_bounded(loop: Loop) -> None:
    under_way, peak = 0, 0

    async def answer(_: httpx.Request) -> httpx.Response:
        nonlocal under_way, peak
        under_way += 1
        peak = max(peak, under_way)
        await asyncio.sleep(1)
        under_way -= 1
        return httpx.Response(200, json={"state": "SUCCEED"})

    job_ids = [f"job-{n}" for n in range(30)]
    outcomes = run(loop, collected(studio_that_gets(answer), job_ids, timeout=600, max_in_flight=3))

    assert (peak, len(outcomes)) == (3, 30)


def test_intervals_of_a_job_grow(loop: Loop) -> None:
    asked: dict[str, list[float]] = {"a": [], "b": [], "c": []}

    async def answer(request: httpx.Request) -> httpx.Response:
        times = asked[request.url.path[-1]]
        times.append(loop.time())
        assert len(times) < 50, "far too often"
        return httpx.Response(200, json={"state": "WAITING"})

    run(loop, collected(studio_that_gets(answer), list(asked), timeout=600, rate=1000))

    for times in asked.values():
        longest = [min(30, 2 * 1.5**n) for n in range(len(times) - 2)]
        apart = [later - sooner for sooner, later in pairwise(times[:-1])]
        assert all(most / 2 - 0.01 <= each <= most + 0.01 for each, most in zip(apart, longest, strict=True))
        assert times[-1] == pytest.approx(1599, abs=0.01), "the last question is asked a second before the end"


@pytest.mark.parametrize(("done_after", "error"), [(0.5, type(None)), (0.6, WaitTimeout)])
def test_last_poll_is_a_second_before_timeout(loop: Loop, done_after: float, error: type) -> None:
    async def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"state": "SUCCEED" if loop.time() >= 1000 + done_after else "WAITING"})

    assert type(run(loop, collected(studio_that_gets(answer), ["j"], timeout=1.5))["j"].error) is error


def test_pace_without_time_left_times_out(loop: Loop) -> None:
    asked: list[str] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path[-1])
        return httpx.Response(200, json={"state": "WAITING"})

    outcomes = run(loop, collected(studio_that_gets(answer), list("abcde"), timeout=3, rate=1))

    assert asked == ["a", "b", "c"]
    waiting, nothing = "its last state was WAITING", "there was no response"
    assert {job_id: str(each.error) for job_id, each in outcomes.items()} == {
        job_id: f"short job {job_id} did not finish within 3 s; {last}"
        for job_id, last in zip("abcde", [waiting, waiting, waiting, nothing, nothing], strict=True)
    }
    assert [getattr(outcomes[job_id].job, "state", None) for job_id in "abcde"] == ["WAITING"] * 3 + [None] * 2


def test_outcome_does_not_wait_for_slow_response(loop: Loop) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(100 if request.url.path.endswith("slow") else 1)
        return httpx.Response(200, json={"state": "SUCCEED"})

    async def main() -> dict[str, float]:
        async with studio_that_gets(answer) as studio:
            outcomes = studio.short_jobs.wait_many(["slow", "quick"], timeout=600, rate=1000)
            return {each.job_id: loop.time() - 1000 async for each in outcomes}

    assert run(loop, main()) == pytest.approx({"quick": 1, "slow": 100}, abs=0.1)


def test_refusal_is_raised_with_others_in_flight(loop: Loop) -> None:
    under_way = 0

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal under_way
        if request.url.path.endswith("refused"):
            return httpx.Response(401, json={"error_code": "APIGW.0303"})
        under_way += 1
        try:
            await asyncio.sleep(100)
        finally:
            under_way -= 1
        return httpx.Response(200, json={"state": "SUCCEED"})

    with pytest.raises(AuthenticationError):
        run(loop, collected(studio_that_gets(answer), ["a", "b", "refused", "c"], timeout=600))

    assert under_way == 0


def test_only_a_response_restores_pace(loop: Loop) -> None:
    asked: list[float] = []

    async def answer(_: httpx.Request) -> httpx.Response:
        asked.append(loop.time())
        return httpx.Response(502) if len(asked) > 1 else httpx.Response(429, headers={"Retry-After": "1"})

    async def main() -> None:
        job_ids = [f"job-{n}" for n in range(40)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(collected(studio_that_gets(answer), job_ids, timeout=600, max_in_flight=1), 9)

    run(loop, main())

    throttled, *others = [later - sooner for sooner, later in pairwise(asked)]
    assert throttled == pytest.approx(1)
    assert others == pytest.approx([0.2] * 39, abs=0.001)


@pytest.mark.parametrize(
    ("answer", "options"),
    [
        (httpx.Response(429, headers={"Retry-After": "20"}), {}),
        (httpx.Response(200, json={"state": "WAITING"}), {"rate": 0.1}),
    ],
    ids=["throttled", "slow"],
)
def test_delayed_pace_does_not_delay_timeout(loop: Loop, answer: httpx.Response, options: dict[str, Any]) -> None:
    async def answered(_: httpx.Request) -> httpx.Response:
        return answer

    outcomes = run(loop, collected(studio_that_gets(answered), ["a", "b", "c"], timeout=3, **options))

    assert loop.time() == pytest.approx(1003, abs=0.01)
    assert [type(each.error) for each in outcomes.values()] == [WaitTimeout] * 3
    assert loop.time() < 1004


def test_last_failure_is_cause_without_retry(loop: Loop) -> None:
    async def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(503)

    outcomes = run(loop, collected(studio_that_gets(answer), list("abc"), timeout=4, rate=1))

    causes = [getattr(outcomes[each].error, "__cause__", None) for each in "abc"]
    assert [type(each) for each in causes] == [InternalServerError] * 3


def test_concurrent_requests_slow_pace_once(loop: Loop) -> None:
    asked: list[float] = []

    async def answer(_: httpx.Request) -> httpx.Response:
        asked.append(loop.time())
        await asyncio.sleep(1)
        return httpx.Response(429) if len(asked) <= 10 else httpx.Response(200, json={"state": "SUCCEED"})

    run(loop, collected(studio_that_gets(answer), [f"job-{n}" for n in range(20)], timeout=600))

    apart = [later - sooner for sooner, later in pairwise(asked)]
    assert apart[:9] == pytest.approx([0.1] * 9)
    held_back = apart.index(max(apart))  # while they come back throttled
    assert max(apart[held_back + 1 :]) == pytest.approx(0.2, abs=0.001), "half as often, though ten were throttled"


def test_no_jobs(loop: Loop, sandbox: Sandbox) -> None:
    assert run(loop, collected(studio_of(sandbox, loop), [], timeout=1)) == {}


@pytest.mark.parametrize(
    "change", [{"timeout": 0}, {"rate": 0}, {"rate": -1}, {"max_in_flight": 0}, {"max_in_flight": 1.5}]
)
def test_invalid_arguments_raise_before_request(loop: Loop, sandbox: Sandbox, change: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{next(iter(change))} must"):
        run(loop, collected(studio_of(sandbox, loop), ["j"], **{"timeout": 5, **change}))
    for job_ids in ("abc", None, [["a"]], [1]):
        with pytest.raises(ConfigurationError, match="job_ids must be a collection of strings"):
            run(Loop(), collected(studio_of(sandbox, loop), job_ids, timeout=5))  # type: ignore[arg-type]  # wrong
    with pytest.raises(ConfigurationError, match=r"^job_id must"):
        run(loop_again := Loop(), collected(studio_of(sandbox, loop_again), ["j", "a/b"], timeout=5))
    assert len(sandbox.exchanges) == 0


@pytest.mark.parametrize("jobs", [100, pytest.param(10_000, marks=pytest.mark.slow)])
def test_soak(loop: Loop, sandbox: Sandbox, jobs: int) -> None:
    """One request in five fails, in every way there is; every job is accounted for, at the pace."""
    good = [sandbox.add_job("WAITING", "PROCESSING", "SUCCEED") for _ in range(jobs * 9 // 10)]
    failed = [sandbox.add_job("WAITING", "HIBERNATING", "FAILED") for _ in range(jobs - len(good))]
    sandbox.inject_randomly(
        [
            faults.throttled(),
            faults.throttled(retry_after=2),
            faults.throttled(retry_after="junk"),
            faults.status(500, "APIGW.0601"),
            faults.status(503, "APIGW.0613"),
            faults.status(502, "APIGW.0201"),
            faults.html(502),
            faults.html(200),
            faults.lost,
            faults.cut,
            faults.slow(0.001),
            faults.changed(assess_result=3),
            faults.changed(state=None),
        ],
        probability=0.2,
        seed=42,
    )

    sandbox._service.exchanges = deque()  # all of them, not the last thousand

    outcomes = run(loop, collected(studio_of(sandbox, loop), [*good, *failed], timeout=1_000_000, rate=20))

    assert outcomes.keys() == {*good, *failed}
    assert {type(outcomes[each].error) for each in good} == {type(None)}
    assert {type(outcomes[each].error) for each in failed} == {ShortJobFailed}
    assert min(gaps(sandbox)) >= 0.0499
