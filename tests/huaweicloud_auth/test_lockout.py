"""A key is not locked by this process: with threads, with tasks, and over time."""

import asyncio
import gc
import gzip
import os
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any, Final

import httpx
import pytest

from huaweicloud_auth import KeyRefused, Secret, guards, refusals
from huaweicloud_auth.guards import guard_of
from huaweicloud_auth.key_guard import (
    HELD_SECONDS,
    LAST_REFUSAL,
    LOCK_SECONDS,
    MAX_JUMP,
    MAX_REFUSALS,
    UNPROVEN_AT_ONCE,
    KeyGuard,
    _InFlight,
)
from metastudio import (
    AkSkAuth,
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncMetaStudio,
    AuthenticationError,
    Credentials,
    MetaStudio,
    MetaStudioError,
)
from metastudio.aiohttp_transport import AiohttpTransport
from metastudio_sandbox import Sandbox
from support import HANGS_AFTER
from support.raw_server import RawServer, raw_server
from support.samples import REFERENCE_JOB, REFUSED, new_access_key, new_credentials
from support.sessions import Connect
from support.virtual_time import Clock

AT_ONCE = 32

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
def test_wrong_key_sends_at_most_three_requests(
    many: Callable[[dict[str, Any]], Outcomes], options: dict[str, Any], sandbox: Sandbox
) -> None:
    wrong = Credentials(sandbox.credentials.ak, f"wrong-for-{many.__name__}")
    before = len(sandbox.exchanges)

    outcomes = many(options | {"credentials": wrong})

    assert {type(outcome) for outcome in outcomes} == {AuthenticationError}
    assert 1 <= len(sandbox.exchanges) - before <= MAX_REFUSALS
    not_sent = [outcome for outcome in outcomes if "Not sent" in str(outcome)]
    assert len(not_sent) == len(outcomes) - (len(sandbox.exchanges) - before)


@MANY
def test_valid_key_is_accepted_each_time(
    many: Callable[[dict[str, Any]], Outcomes], options: dict[str, Any], sandbox: Sandbox
) -> None:
    outcomes = many(options)

    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    assert {outcome.job_id for outcome in outcomes} == {REFERENCE_JOB}


@MANY
def test_gateway_does_not_lock_key(
    many: Callable[[dict[str, Any]], Outcomes], options: dict[str, Any], sandbox: Sandbox
) -> None:
    many(options | {"credentials": Credentials(sandbox.credentials.ak, f"also-wrong-for-{many.__name__}")})

    assert {outcome.job_id for outcome in many(options)} == {REFERENCE_JOB}


def test_three_refusals_block_key(connect: Connect, server: RawServer) -> None:
    wrong = new_credentials("wrong-secret-key")
    options = {"endpoint": server.url, "project_id": "p", "credentials": wrong}
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
        connect(**options | {"credentials": Credentials(wrong.ak, "another-secret-key")}).show("j")
    assert "Not sent" not in str(caught.value)
    assert len(server.requests) == MAX_REFUSALS + 1


def test_success_resets_count(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    session = connect(**raw_options)
    for status, body in (("401 Unauthorized", REFUSED), ("200 OK", b"{}")) * 5:
        server.answer(body, status)

    for _ in range(5):
        with pytest.raises(AuthenticationError):
            session.show("j")
        session.show("j")

    assert len(server.requests) == 10


def test_other_error_proves_key(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    """An error that is no refusal sets the count back; test_gateway has which ones are refusals."""
    session = connect(**raw_options)
    for _ in range(3):
        server.answer(REFUSED, "401 Unauthorized")
        server.answer(REFUSED, "401 Unauthorized")
        server.answer(b'{"error_code": "SHOP.1003"}', "401 Unauthorized")

    for _ in range(9):
        with pytest.raises(APIStatusError) as caught:
            session.show("j")
        assert "Not sent" not in str(caught.value)
    assert len(server.requests) == 9


def test_refusal_with_status_400_counts(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    session = connect(**raw_options)
    for _ in range(MAX_REFUSALS + 1):
        server.answer(b'{"error_code": "MSS.00010008"}', "400 Bad Request")
        with pytest.raises(AuthenticationError):
            session.show("j")

    assert len(server.requests) == MAX_REFUSALS


def test_lost_connection_releases_next_request(
    connect: Connect, server: RawServer, raw_options: dict[str, Any]
) -> None:
    session = connect(**raw_options)
    with pytest.raises(APIConnectionError):
        session.show("j")

    server.answer(b'{"job_id": "j"}')
    assert session.show("j").job_id == "j"


def test_cancelled_task_releases_next_request(server: RawServer, raw_options: dict[str, Any]) -> None:
    async def main() -> None:
        async with AsyncMetaStudio(**raw_options) as studio:
            server.answers.extend([None] * UNPROVEN_AT_ONCE)
            ahead = [asyncio.create_task(studio.short_jobs.show("j")) for _ in range(UNPROVEN_AT_ONCE)]
            waiting = asyncio.create_task(studio.short_jobs.show("j"))
            cancelled = asyncio.create_task(studio.short_jobs.show("j"))
            for _ in ahead:
                await asyncio.to_thread(server.asked.acquire)
            cancelled.cancel()
            server.answer(b'{"job_id": "j"}')
            ahead[0].cancel()
            assert (await waiting).job_id == "j"
            for task in ahead:
                task.cancel()
            all_ = await asyncio.gather(*ahead, cancelled, return_exceptions=True)
            assert {type(each) for each in all_} == {asyncio.CancelledError}

    asyncio.run(main())


def request() -> httpx.Request:
    return httpx.Request("GET", "https://service.example.com/")


def refusal() -> httpx.Response:
    return httpx.Response(401, content=REFUSED)


def refuse(guard: KeyGuard, times: int = 1) -> None:
    for _ in range(times):
        sent = request()
        assert guard.enter(sent) is None
        guard.refused(sent, refusal(), fixed=False)
        guard.left(sent)


def test_key_is_blocked_for_five_minutes() -> None:
    clock = Clock()
    guard = KeyGuard(clock)
    refuse(guard, MAX_REFUSALS)

    with pytest.raises(KeyRefused, match="It can be used again in 300 s"):
        guard.enter(request())
    clock.now += LOCK_SECONDS - 1
    with pytest.raises(KeyRefused, match="in 1 s"):
        guard.enter(request())
    clock.now += 1
    refuse(guard)  # it closes again at once: it is the fourth in a row
    with pytest.raises(KeyRefused, match="refused 4 times"):
        guard.enter(request())


def test_five_corrected_refusals_block_key() -> None:
    """Refusals whose cause was corrected count, too: the fifth is the last."""
    guard = KeyGuard(Clock())
    for number in range(LAST_REFUSAL):
        sent = request()
        assert guard.enter(sent) is None
        guard.refused(sent, refusal(), fixed=number != 1)
        guard.left(sent)

    with pytest.raises(KeyRefused, match="refused 5 times"):
        guard.enter(request())


def test_acceptance_resets_count_and_time() -> None:
    guard = KeyGuard(Clock())
    guard.accepted(request())
    for _ in range(MAX_REFUSALS):  # in flight at the same time
        guard.refused(request(), refusal(), fixed=False)
    guard.accepted(request())

    guard.refused(request(), refusal(), fixed=False)

    assert guard.enter(request()) is None


def test_unproven_key_has_few_requests_in_flight() -> None:
    guard = KeyGuard(Clock())
    under_way = [request() for _ in range(UNPROVEN_AT_ONCE)]
    assert [guard.enter(each) for each in under_way] == [None] * UNPROVEN_AT_ONCE
    change = guard.enter(request())
    assert change is not None

    guard.left(request())  # one that was not under way
    assert not change.done()
    guard.left(under_way[0])
    assert change.result(0) is None
    assert guard.enter(request()) is None

    change = guard.enter(request())
    assert change is not None
    guard.accepted(under_way[1])
    assert change.result(0) is None


def test_clock_that_was_set_makes_key_unproven() -> None:
    """The wall clock may drift against the monotonic one by five minutes."""
    guard, wall = KeyGuard(clock := Clock()), 2e9
    guard.accepted(request())
    for drift in (0, MAX_JUMP, -MAX_JUMP):
        clock.now, wall = clock.now + 1000, wall + 1000 + drift
        sent = request()
        assert guard.enter(sent, wall) is None
        guard.left(sent)
    assert guard.is_proven

    assert guard.enter(request(), wall + MAX_JUMP + 1) is None
    assert not guard.is_proven
    assert guard.enter(request(), wall + MAX_JUMP + 1) is not None


def test_burst_with_proven_key_starts_slowly() -> None:
    """Five at first, twice as many each time that half of them were accepted; five again after a pause."""
    clock = Clock()
    guard = KeyGuard(clock)
    guard.accepted(request())
    sizes = []
    for _ in range(3):
        under_way = [request()]
        while (change := guard.enter(under_way[-1])) is None:
            under_way.append(request())
        sizes.append(len(under_way) - 1)
        for each in under_way[: -(-sizes[-1] // 2)]:
            assert not change.done()
            guard.accepted(each)
        assert change.result(0) is None
        for each in under_way:
            guard.accepted(each)  # no request waits now, so the limit stays
        clock.now += 0.9
    busy = [request() for _ in range(LAST_REFUSAL + 2)]
    for each in busy:
        assert guard.enter(each) is None
        clock.now += 1.1  # no pause: the first ones are in flight
    for each in busy:
        guard.accepted(each)

    later = [request() for _ in range(6)]
    assert sizes == [5, 10, 20]
    assert [guard.enter(each) is None for each in later] == [True] * 5 + [False]


def test_proven_key_waits_two_seconds_at_most() -> None:
    guard = KeyGuard(Clock())
    guard.accepted(request())
    *under_way, held = (request() for _ in range(LAST_REFUSAL + 1))
    assert [guard.enter(each) for each in under_way] == [None] * LAST_REFUSAL

    assert guard.enter(held, waited=HELD_SECONDS - 0.1) is not None
    assert guard.enter(held, waited=HELD_SECONDS) is None


def test_refused_key_sends_one_request() -> None:
    guard = KeyGuard(Clock())
    guard.accepted(request())

    ahead, held = request(), request()
    guard.refused(request(), refusal(), fixed=False)
    assert guard.enter(ahead) is None
    assert guard.enter(held, waited=HELD_SECONDS) is not None


@pytest.mark.parametrize("fixed", [False, True])
def test_waiting_requests_fail_with_the_refusal(fixed: bool) -> None:
    """Unless its cause was fixed: then they try again."""
    guard = KeyGuard(Clock())
    under_way = [request() for _ in range(UNPROVEN_AT_ONCE)]
    assert [guard.enter(each) for each in under_way] == [None] * UNPROVEN_AT_ONCE
    change = guard.enter(request())
    assert change is not None

    guard.refused(under_way[0], refusal(), fixed=fixed)

    failure = change.result(0)
    assert failure is None if fixed else failure is not None and failure.content == REFUSED


def test_requests_of_closed_loop_are_forgotten() -> None:
    guard, under_way = KeyGuard(Clock()), [request() for _ in range(UNPROVEN_AT_ONCE)]

    async def enter() -> None:
        assert [guard.enter(each) for each in under_way] == [None] * UNPROVEN_AT_ONCE
        assert guard.enter(request()) is not None

    asyncio.run(enter())

    assert guard.enter(request()) is None


def test_successor_of_proven_key_is_proven() -> None:
    """Both are of one source; a refusal of its own counts for more."""
    before, after, refused = KeyGuard(Clock()), KeyGuard(Clock()), KeyGuard(Clock())
    after.succeed(before)
    assert not after.is_proven

    before.accepted(request())
    refuse(refused)
    for each in (after, refused):
        each.succeed(before)
    assert (after.is_proven, refused.is_proven) == (True, False)

    after.succeed(refused)
    assert after.is_proven


def test_abandoned_requests_count_as_refused() -> None:
    """So five of them are the last; those that were never written are not counted."""
    guard = KeyGuard(clock := Clock())
    for is_written in (False, True, True, False, True, True, True):
        sent = request()
        assert guard.enter(sent) is None
        if is_written:
            guard.sending(id(sent), "GET", sent.url, guard.refused_so_far)
        guard.left(sent)

    with pytest.raises(httpx.PoolTimeout, match="not sent: 5 requests with this key were refused or ended"):
        guard.enter(request())
    clock.now += LOCK_SECONDS
    assert guard.enter(request()) is None


def give_up(guard: KeyGuard, clock: Clock, after: float) -> None:
    sent = request()
    assert guard.enter(sent) is None
    guard.sending(id(sent), "GET", sent.url, guard.refused_so_far)
    clock.now += after
    guard.left(sent)


def test_abandoned_requests_block_proven_key() -> None:
    """It may have been disabled: five that were given up before a refusal could be there are the last."""
    guard = KeyGuard(clock := Clock())
    guard.accepted(request())
    for _ in range(LAST_REFUSAL):
        give_up(guard, clock, HELD_SECONDS - 1)

    with pytest.raises(httpx.PoolTimeout, match="not sent: 5 requests"):
        guard.enter(request())


def test_requests_abandoned_at_once_leave_one() -> None:
    """As when a notebook or a program is interrupted: the next request shows whether the key is still good."""
    guard = KeyGuard(clock := Clock())
    guard.accepted(request())
    under_way = [request() for _ in range(LAST_REFUSAL)]
    for sent in under_way:
        assert guard.enter(sent) is None
        guard.sending(id(sent), "GET", sent.url, guard.refused_so_far)
    for sent in under_way[: LAST_REFUSAL - 1]:
        guard.left(sent)
    clock.now += HELD_SECONDS
    guard.left(under_way[-1])

    ahead, held = request(), request()
    assert guard.enter(ahead) is None
    assert guard.enter(held, waited=HELD_SECONDS) is not None
    guard.accepted(ahead)
    assert guard.enter(held) is None


def test_slow_service_does_not_block_proven_key() -> None:
    """The gateway refuses at once: what was waited for longer was not refused."""
    guard = KeyGuard(clock := Clock())
    guard.accepted(request())
    for _ in range(LAST_REFUSAL + 1):
        give_up(guard, clock, HELD_SECONDS)
    for _ in range(LAST_REFUSAL - 1):
        give_up(guard, clock, 0)
    guard.accepted(request())
    for _ in range(LAST_REFUSAL - 1):
        give_up(guard, clock, 0)

    assert guard.enter(request()) is None


def test_access_key_with_several_secret_keys(connect: Connect, server: RawServer) -> None:
    """The gateway locks the access key; a good pair sets the count back."""
    ak = new_access_key()
    options = {"endpoint": server.url, "project_id": "p", "max_retries": 0}
    for _ in range(9):
        server.answer(REFUSED, "401 Unauthorized")
    for number in range(9):
        with pytest.raises((AuthenticationError, APITimeoutError)):
            connect(**options, credentials=Credentials(ak, f"wrong-{number}")).show("j")

    assert len(server.requests) == LAST_REFUSAL
    guard_of(Credentials(ak, "good")).accepted(request())
    with pytest.raises(AuthenticationError):
        connect(**options, credentials=Credentials(ak, "wrong-9")).show("j")
    assert len(server.requests) == LAST_REFUSAL + 1


def test_unwritten_request_is_not_sent_after_refusal() -> None:
    guard = KeyGuard(Clock())
    guard.accepted(request())
    late, mended, new = request(), request(), request()
    so_far = guard.refused_so_far
    assert [guard.enter(each) for each in (late, mended)] == [None, None]

    guard.refused(request(), refusal(), fixed=True)
    with pytest.raises(httpx.PoolTimeout, match="signed before"):
        guard.sending(id(mended), "GET", mended.url, so_far)
    guard.refused(request(), refusal(), fixed=False)
    with pytest.raises(KeyRefused, match="an earlier request with this key was refused"):
        guard.sending(id(late), "GET", late.url, so_far)

    guard.accepted(request())
    guard.sending(id(late), "GET", late.url, so_far)
    assert guard.enter(new) is None


@pytest.mark.parametrize("transport", [lambda: None, AiohttpTransport], ids=["async", "aiohttp"])
def test_cancelled_calls_count(server: RawServer, transport: Callable[[], httpx.AsyncBaseTransport | None]) -> None:
    """A wrong key whose refusals nobody waits for: five requests go out, and those who come later are told why."""
    server.answers.extend([None] * 20)

    async def main() -> list[str]:
        said = []
        key = new_credentials()
        options: dict[str, Any] = {"endpoint": server.url, "project_id": "p", "credentials": key, "max_retries": 0}
        async with AsyncMetaStudio(**options, transport=transport()) as studio:
            for _ in range(8):
                call = asyncio.create_task(studio.short_jobs.show("j"))
                arrived = asyncio.create_task(asyncio.to_thread(server.asked.acquire, timeout=HANGS_AFTER))
                await asyncio.wait([call, arrived], return_when=asyncio.FIRST_COMPLETED)
                call.cancel()
                said += [str(each) for each in await asyncio.gather(call, return_exceptions=True)]
                if not arrived.done():  # it was not sent
                    server.asked.release()
                await arrived
        return said

    said = asyncio.run(main())

    assert len(server.requests) == LAST_REFUSAL
    assert sum("not sent: 5 requests with this key" in each for each in said) == 3


BURST: Final = 200


def _threads(options: dict[str, Any]) -> Outcomes:
    with MetaStudio(**options) as studio, ThreadPoolExecutor(BURST) as pool:
        assert studio.short_jobs.show("j").job_id == "j"
        calls = [pool.submit(studio.short_jobs.show, "j") for _ in range(BURST)]
        return [call.exception() or call.result() for call in calls]


def _tasks(options: dict[str, Any]) -> Outcomes:
    async def main() -> Outcomes:
        async with AsyncMetaStudio(**options) as studio:
            assert (await studio.short_jobs.show("j")).job_id == "j"
            return await asyncio.gather(*(studio.short_jobs.show("j") for _ in range(BURST)), return_exceptions=True)

    return asyncio.run(main())


def _aiohttp(options: dict[str, Any]) -> Outcomes:
    return _tasks(options | {"transport": AiohttpTransport()})


@pytest.mark.parametrize("burst", [_threads, _tasks, _aiohttp])
def test_burst_with_disabled_key(
    burst: Callable[[dict[str, Any]], Outcomes], server: RawServer, raw_options: dict[str, Any]
) -> None:
    """The key is unknown by the time of the burst: five refusals at most, and every call is told."""
    server.answer(b'{"job_id": "j"}')
    for _ in range(BURST):
        server.answer(REFUSED, "401 Unauthorized")

    outcomes = burst(raw_options)

    assert {type(each) for each in outcomes} == {AuthenticationError}
    assert 1 <= len(server.requests) - 1 <= LAST_REFUSAL
    assert sum("Not sent" in str(each) for each in outcomes) == BURST - (len(server.requests) - 1)


@pytest.mark.parametrize("burst", [_threads, _tasks, _aiohttp])
def test_burst_with_valid_key(
    burst: Callable[[dict[str, Any]], Outcomes], server: RawServer, raw_options: dict[str, Any]
) -> None:
    for _ in range(BURST + 1):
        server.answer(b'{"job_id": "j"}')

    assert {getattr(each, "job_id", each) for each in burst(raw_options)} == {"j"}


def test_refused_connections_do_not_count(connect: Connect, server: RawServer) -> None:
    """Nothing was sent, so nothing can have been refused."""
    key = new_credentials()
    session = connect(endpoint="http://127.0.0.1:1", project_id="p", credentials=key, max_retries=0)
    for _ in range(LAST_REFUSAL + 1):
        with pytest.raises(APIConnectionError, match=r"(?i)connect"):
            session.show("j")

    server.answer(b'{"state": "WAITING"}')
    assert connect(endpoint=server.url, project_id="p", credentials=key).show("j").state == "WAITING"


@pytest.mark.parametrize("transport", [lambda: None, AiohttpTransport], ids=["async", "aiohttp"])
def test_cancelled_handshakes_do_not_count(
    server: RawServer, transport: Callable[[], httpx.AsyncBaseTransport | None]
) -> None:
    """Nothing was sent, so nothing can have been refused."""
    key = new_credentials()
    server.answer(b'{"job_id": "j"}')

    async def cancel_a_handshake(listener: socket.socket, studio: AsyncMetaStudio) -> None:
        call = asyncio.create_task(studio.short_jobs.show("j"))
        connection, _ = await asyncio.get_running_loop().sock_accept(listener)
        with connection:
            assert await asyncio.get_running_loop().sock_recv(connection, 1) == b"\x16"  # its ClientHello
            call.cancel()
            assert isinstance((await asyncio.gather(call, return_exceptions=True))[0], asyncio.CancelledError)

    async def main(listener: socket.socket) -> object:
        silent = f"https://127.0.0.1:{listener.getsockname()[1]}"
        options: dict[str, Any] = {"project_id": "p", "credentials": key, "max_retries": 0}
        async with AsyncMetaStudio(endpoint=silent, **options, transport=transport()) as studio:
            for _ in range(LAST_REFUSAL + 1):
                await cancel_a_handshake(listener, studio)
        async with AsyncMetaStudio(endpoint=server.url, **options, transport=transport()) as studio:
            return (await studio.short_jobs.show("j")).job_id

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        assert asyncio.run(main(listener)) == "j"


def test_refusals_of_all_endpoints_count(connect: Connect) -> None:
    """It is the key that is locked, not the endpoint."""
    credentials = new_credentials("wrong")
    with raw_server() as one, raw_server() as other:
        for server in (one, other, one, other):
            server.answer(REFUSED, "401 Unauthorized")
            with pytest.raises(AuthenticationError):
                connect(endpoint=server.url, project_id="p", credentials=credentials, max_retries=0).show("j")

        assert len(one.requests) + len(other.requests) == MAX_REFUSALS


def test_new_token_each_time_still_blocks_key(connect: Connect, server: RawServer) -> None:
    """Each refusal seems mended, and five are the last."""
    key, tokens = new_access_key(), count()
    for _ in range(20):
        server.answer(REFUSED, "401 Unauthorized")
    session = connect(
        endpoint=server.url, project_id="p", credentials=lambda: Credentials(key, "SK", f"token-{next(tokens)}")
    )
    for _ in range(6):
        with pytest.raises(AuthenticationError):
            session.show("j")

    assert len(server.requests) <= LAST_REFUSAL


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_child_process_has_its_own_guard() -> None:
    credentials = Credentials("FORKEDKEY", "SK")
    refuse(guard_of(credentials), MAX_REFUSALS)

    if (child := os.fork()) == 0:
        os._exit(0 if guard_of(credentials).enter(request()) is None else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with pytest.raises(KeyRefused):
        guard_of(credentials).enter(request())


def test_guard_keeps_no_secret() -> None:
    credentials = Credentials("GUARDEDKEY", Secret("the-guarded-secret-key"))
    assert guard_of(credentials) is guard_of(Credentials("GUARDEDKEY", "the-guarded-secret-key"))

    secret = weakref.ref(credentials)
    del credentials
    gc.collect()

    assert secret() is None
    assert "the-guarded-secret-key" not in repr(guards._guards)


def test_refusal_that_was_compressed() -> None:
    headers = {"Content-Encoding": "gzip", "X-Request-Id": "r"}
    kept = refusals.without_request(httpx.Response(401, headers=headers, content=gzip.compress(REFUSED)))

    assert kept.content == REFUSED
    assert dict(kept.headers) == {"x-request-id": "r", "content-length": str(len(REFUSED))}


def test_guards_of_the_oldest_keys_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "_guards", {})
    monkeypatch.setattr(guards, "_REMEMBERED", 2)
    one, two, three = (Credentials("ROTATED", f"SK{number}") for number in range(3))
    oldest, other, newest = guard_of(one), guard_of(two), guard_of(three)

    assert [guard_of(two), guard_of(three)] == [other, newest]
    assert guard_of(one) is not oldest
    assert len(guards._guards) == 2


def hold(credentials: Credentials, url: str) -> None:
    """Let as many requests be under way, as it seems, as an unproven key may have."""
    guard = guard_of(credentials)
    for number in range(UNPROVEN_AT_ONCE):
        guard._in_flight[number] = _InFlight(None)


def test_wait_for_another_request_ends(monkeypatch: pytest.MonkeyPatch, connect: Connect, server: RawServer) -> None:
    monkeypatch.setattr("huaweicloud_auth.flow._WAIT_SECONDS", 0.01)
    credentials = Credentials("AK", "a-key-that-waits")
    options = {"endpoint": server.url, "project_id": "p", "credentials": credentials, "max_retries": 0}
    hold(credentials, server.url)

    with pytest.raises(APIConnectionError, match="waited too long"):
        connect(**options).show("j")
    assert server.requests == []


def test_wait_ends_at_deadline(connect: Connect, server: RawServer) -> None:
    credentials = Credentials("AK", "another-key-that-waits")
    options = {"endpoint": server.url, "project_id": "p", "credentials": credentials, "max_retries": 0}
    hold(credentials, server.url)

    with pytest.raises(APITimeoutError):  # real time, and short: it would be two minutes
        connect(**options, real_time=True).show("j", total_timeout=0.05)
    assert server.requests == []


def test_wait_ends_in_plain_httpx_client(monkeypatch: pytest.MonkeyPatch, server: RawServer) -> None:
    monkeypatch.setattr("huaweicloud_auth.flow._WAIT_SECONDS", 0.01)
    credentials = Credentials("AK", "yet-another-key-that-waits")
    hold(credentials, server.url)

    with (
        httpx.Client(auth=AkSkAuth(credentials)) as client,
        pytest.raises(httpx.PoolTimeout, match="waited too long for another request"),
    ):
        client.get(server.url)
    assert server.requests == []


@pytest.mark.parametrize("left", ["closed", "with an error"])
def test_abandoned_flow_releases_next_request(left: str) -> None:
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
        await asyncio.wait_for(leave(), HANGS_AFTER)

    asyncio.run(both())
