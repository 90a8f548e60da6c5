"""A key is not locked by this process: with threads, with tasks, and over time."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from conftest import Connect
from metastudio import (
    AkSkAuth,
    APIConnectionError,
    APITimeoutError,
    AsyncMetaStudio,
    AuthenticationError,
    Credentials,
    MetaStudio,
    MetaStudioError,
    NotFoundError,
    lockout,
)
from metastudio.lockout import LOCK_SECONDS, MAX_REFUSALS, Lockout
from metastudio_sandbox import Sandbox
from raw_server import RawServer

REFERENCE_JOB = "26f06524-4f75-4b3a-a853-b649a21aaf66"
AT_ONCE = 32
REFUSED = b'{"error_code": "APIGW.0301", "error_msg": "verify aksk signature fail"}'

Outcomes = list[Any]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """One for each test: it locks keys, as the gateway does."""
    with Sandbox() as running:
        yield running


def with_threads(options: dict[str, Any]) -> Outcomes:
    """Show a job from many threads at once; return what each got."""
    start = threading.Barrier(AT_ONCE)

    def show(studio: MetaStudio) -> object:
        start.wait()
        try:
            return studio.short_jobs.show(REFERENCE_JOB)
        except MetaStudioError as error:
            return error

    with MetaStudio(**options) as studio, ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(show, [studio] * AT_ONCE))


def with_tasks(options: dict[str, Any]) -> Outcomes:
    """Show a job from many tasks at once; return what each got."""

    async def main() -> Outcomes:
        async with AsyncMetaStudio(**options) as studio:
            shows = (studio.short_jobs.show(REFERENCE_JOB) for _ in range(AT_ONCE))
            return await asyncio.gather(*shows, return_exceptions=True)

    return asyncio.run(main())


def with_both(options: dict[str, Any]) -> Outcomes:
    """Half of each, with the same key."""
    with ThreadPoolExecutor(2) as pool:
        return [each for run in pool.map(lambda run: run(options), (with_threads, with_tasks)) for each in run]


MANY = pytest.mark.parametrize("many", [with_threads, with_tasks, with_both])


@MANY
def test_with_a_wrong_key_one_request_goes_out(
    many: Callable[[dict[str, Any]], Outcomes], options: dict[str, Any], sandbox: Sandbox
) -> None:
    wrong = Credentials(sandbox.credentials.ak, f"wrong-for-{many.__name__}")
    before = len(sandbox.exchanges)

    outcomes = many(options | {"credentials": wrong})

    assert {type(outcome) for outcome in outcomes} == {AuthenticationError}
    # A thread may come so late that the refusal is there already; then it goes ahead itself.
    assert 1 <= len(sandbox.exchanges) - before <= (1 if many is with_tasks else MAX_REFUSALS)
    not_sent = [outcome for outcome in outcomes if "Not sent" in str(outcome)]
    assert len(not_sent) == len(outcomes) - (len(sandbox.exchanges) - before)


@MANY
def test_with_a_good_key_all_get_through(
    many: Callable[[dict[str, Any]], Outcomes], options: dict[str, Any], sandbox: Sandbox
) -> None:
    outcomes = many(options)

    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    assert {outcome.job_id for outcome in outcomes} == {REFERENCE_JOB}


@MANY
def test_the_gateway_does_not_lock_the_key(
    many: Callable[[dict[str, Any]], Outcomes], options: dict[str, Any], sandbox: Sandbox
) -> None:
    many(options | {"credentials": Credentials(sandbox.credentials.ak, f"also-wrong-for-{many.__name__}")})

    assert {outcome.job_id for outcome in many(options)} == {REFERENCE_JOB}


def test_after_three_refusals_nothing_goes_out(connect: Connect, server: RawServer) -> None:
    options = {"endpoint": server.url, "project_id": "p", "credentials": Credentials("AK", "wrong-secret-key")}
    for _ in range(5):
        server.answer(REFUSED, "401 Unauthorized")
    session = connect(**options)

    for _ in range(MAX_REFUSALS):
        with pytest.raises(AuthenticationError) as caught:
            session.show("j")
        assert "Not sent" not in str(caught.value)
    with pytest.raises(AuthenticationError, match="Not sent: this key was refused 3 times in a row") as caught:
        session.show("j")

    assert len(server.requests) == MAX_REFUSALS
    assert caught.value.error_code == "APIGW.0301"

    with pytest.raises(AuthenticationError, match="Not sent"):
        connect(**options).show("j")  # another client of the same process
    assert len(server.requests) == MAX_REFUSALS

    with pytest.raises(AuthenticationError) as caught:
        connect(**options | {"credentials": Credentials("AK", "another-secret-key")}).show("j")
    assert "Not sent" not in str(caught.value)
    assert len(server.requests) == MAX_REFUSALS + 1


def test_one_success_sets_the_count_back(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    session = connect(**raw_options)
    for status, body in (("401 Unauthorized", REFUSED), ("200 OK", b"{}")) * 5:
        server.answer(body, status)

    for _ in range(5):
        with pytest.raises(AuthenticationError):
            session.show("j")
        session.show("j")

    assert len(server.requests) == 10


@pytest.mark.parametrize("body", [b'{"error_code": "APIGW.0101"}', b"<html>"], ids=["gateway", "proxy"])
def test_an_answer_of_the_service_proves_the_key_and_one_from_before_it_does_not(
    connect: Connect, server: RawServer, raw_options: dict[str, Any], body: bytes
) -> None:
    session = connect(**raw_options)
    refused, found = ("401 Unauthorized", REFUSED), ("404 Not Found", b'{"error_code": "MSS.00010003"}')
    gateway = ("404 Not Found", body)
    for status, body in (refused, refused, found, refused, gateway, refused, gateway, refused):
        server.answer(body, status)

    for expected in (AuthenticationError, AuthenticationError, NotFoundError) + (
        AuthenticationError,
        NotFoundError,
    ) * 2:
        with pytest.raises(expected) as caught:
            session.show("j")
        assert "Not sent" not in str(caught.value)
    with pytest.raises(AuthenticationError):
        session.show("j")
    with pytest.raises(AuthenticationError, match="Not sent"):
        session.show("j")


def test_a_lost_connection_lets_the_next_one_go_ahead(
    connect: Connect, server: RawServer, raw_options: dict[str, Any]
) -> None:
    session = connect(**raw_options)
    with pytest.raises(APIConnectionError):
        session.show("j")

    server.answer(b'{"job_id": "j"}')
    assert session.show("j").job_id == "j"


def test_a_cancelled_task_lets_the_next_one_go_ahead(server: RawServer, raw_options: dict[str, Any]) -> None:
    async def main() -> None:
        async with AsyncMetaStudio(**raw_options) as studio:
            server.answers.append(None)
            ahead = asyncio.create_task(studio.short_jobs.show("j"))
            waiting = asyncio.create_task(studio.short_jobs.show("j"))
            cancelled = asyncio.create_task(studio.short_jobs.show("j"))
            await asyncio.to_thread(server.asked.acquire)
            cancelled.cancel()
            server.answer(b'{"job_id": "j"}')
            ahead.cancel()
            assert (await waiting).job_id == "j"
            both = await asyncio.gather(ahead, cancelled, return_exceptions=True)
            assert [type(each) for each in both] == [asyncio.CancelledError] * 2

    asyncio.run(main())


def test_the_five_minutes_pass() -> None:
    clock = [1000.0]
    state = Lockout()
    error = AuthenticationError(401, "APIGW.0301", "no", None, httpx.Headers(), b"")
    for _ in range(MAX_REFUSALS):
        assert state.enter(None, lambda: clock[0]) is None
        state.refused(error, lambda: clock[0])

    with pytest.raises(AuthenticationError, match="Calls go out again in 300 s"):
        state.enter(None, lambda: clock[0])
    clock[0] += LOCK_SECONDS - 1
    with pytest.raises(AuthenticationError, match="in 1 s"):
        state.enter(None, lambda: clock[0])
    clock[0] += 1
    assert state.enter(None, lambda: clock[0]) is None

    # A refusal now closes it at once: it is the fourth in a row.
    state.refused(error, lambda: clock[0])
    with pytest.raises(AuthenticationError, match="refused 4 times"):
        state.enter(None, lambda: clock[0])


def test_after_one_that_gets_in_the_count_and_the_time_start_anew() -> None:
    state = Lockout()
    error = AuthenticationError(401, "APIGW.0301", "no", None, httpx.Headers(), b"")
    state.accepted()
    for _ in range(MAX_REFUSALS):  # in flight at the same time
        state.refused(error)
    state.accepted()

    state.refused(error)

    assert state.enter(None) is None


def test_only_the_one_that_went_ahead_lets_the_next_one_go() -> None:
    state = Lockout()
    assert state.enter("ahead") is None
    outcome = state.enter("waiting")
    assert outcome is not None

    state.left("waiting")
    assert state.enter("a third") is outcome
    assert not outcome.done()

    state.left("ahead")
    assert outcome.result(0) is None
    assert state.enter("waiting") is None


def test_with_a_key_that_got_in_nothing_waits_until_one_is_refused() -> None:
    state = Lockout()
    assert state.enter("ahead") is None
    state.accepted()
    assert [state.enter(who) for who in ("a", "b")] == [None, None]

    state.refused(AuthenticationError(401, "APIGW.0301", "no", None, httpx.Headers(), b""))
    assert state.enter("c") is None
    assert state.enter("d") is not None


def test_waiting_for_another_one_ends(monkeypatch: pytest.MonkeyPatch, connect: Connect, server: RawServer) -> None:
    monkeypatch.setattr("metastudio.flows._WAIT_SECONDS", 0.01)
    credentials = Credentials("AK", "a-key-that-waits")
    options = {"endpoint": server.url, "project_id": "p", "credentials": credentials, "max_retries": 0}
    assert lockout.of(credentials, server.url.removeprefix("http://").encode()).enter("another") is None

    with pytest.raises(APIConnectionError, match="waited too long"):
        connect(**options).show("j")
    assert server.requests == []


def test_waiting_for_another_one_takes_no_longer_than_the_call_may(connect: Connect, server: RawServer) -> None:
    credentials = Credentials("AK", "another-key-that-waits")
    options = {"endpoint": server.url, "project_id": "p", "credentials": credentials, "max_retries": 0}
    assert lockout.of(credentials, server.url.removeprefix("http://").encode()).enter("another") is None

    with pytest.raises(APITimeoutError):  # real time, and short: it would be two minutes
        connect(**options, real_time=True).show("j", total_timeout=0.05)
    assert server.requests == []


def test_waiting_for_another_one_ends_in_a_client_that_is_not_ours(
    monkeypatch: pytest.MonkeyPatch, server: RawServer
) -> None:
    monkeypatch.setattr("metastudio.flows._WAIT_SECONDS", 0.01)
    credentials = Credentials("AK", "yet-another-key-that-waits")
    assert lockout.of(credentials, server.url.removeprefix("http://").encode()).enter("another") is None

    with (
        httpx.Client(auth=AkSkAuth(credentials)) as client,
        pytest.raises(APITimeoutError, match=r"^waited too long for another request with this key$"),
    ):
        client.get(server.url)
    assert server.requests == []


@pytest.mark.parametrize("left", ["closed", "with an error"])
def test_a_flow_that_is_left_lets_the_next_one_go_ahead(left: str) -> None:
    auth = AkSkAuth(Credentials("LEFTFLOW" + left.upper().replace(" ", ""), "sk"))
    request = httpx.Request("GET", "http://127.0.0.1:9/")

    async def leave() -> object:
        flow = auth.async_auth_flow(request)
        assert "Authorization" in (await anext(flow)).headers
        if left == "closed":
            await flow.aclose()
        else:
            with pytest.raises(KeyError):
                await flow.athrow(KeyError())
        return flow

    async def both() -> None:
        _kept = await leave()  # it is not Python that closes the flow
        await asyncio.wait_for(leave(), 5)

    asyncio.run(both())
