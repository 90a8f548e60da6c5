"""A value that renews itself is fetched once for all, before its end, and serves while its source fails."""

import asyncio
import logging
import os
import pickle
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from huaweicloud_auth import CredentialsError
from huaweicloud_auth.flow import wait_for, wait_for_async
from huaweicloud_auth.renewing import PAUSE, RejectedError, Renewing
from support.virtual_time import Clock

START = datetime(2026, 11, 27, tzinfo=UTC)


@attrs.frozen
class Value:
    """What is fetched."""

    number: int
    expires_at: datetime | None


class Source:
    """Numbers what it returns; each value lives as long as it is told, by a wall clock that can be moved."""

    def __init__(self, life: float | None, **options: Any) -> None:
        self.life, self.fetched = life, 0
        self.failure: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.began = threading.Semaphore(0)
        self.clock, self.wall_is_ahead = Clock(), timedelta()
        self.value = Renewing(self, "value", now=self.clock, wall=self.wall, **options)

    def wall(self) -> datetime:
        return START + timedelta(seconds=self.clock.now) + self.wall_is_ahead

    def __call__(self) -> Value:
        self.fetched += 1
        self.began.release()
        self.gate.wait()
        if self.failure is not None:
            raise self.failure
        ends = None if self.life is None else self.wall() + timedelta(seconds=self.life)
        return Value(self.fetched, ends)

    def get(self) -> int:
        return self.value().number

    def settle(self) -> None:
        """Wait until the threads that fetch have ended, the log included."""
        for thread in threading.enumerate():
            if thread.name == "huaweicloud-auth":
                thread.join()


@pytest.mark.parametrize(("life", "margin"), [(24 * 3600, 900), (3600, 900), (900, 300), (300, 100)])
def test_renewed_within_the_margin(life: float, margin: float) -> None:
    """Fifteen minutes or a third of the life, whichever is less; meanwhile the old value serves."""
    source = Source(life)
    assert source.get() == 1
    source.clock.now += life - margin - 1
    assert (source.get(), source.fetched) == (1, 1)
    source.clock.now += 2
    source.gate.clear()
    assert [source.get() for _ in range(3)] == [1, 1, 1]
    source.gate.set()
    source.settle()
    assert (source.get(), source.fetched) == (2, 2)


def test_old_value_serves_while_the_source_fails() -> None:
    """Until 60 seconds before its end; the source is asked again after a pause."""
    source = Source(3600)
    source.get()
    source.failure = RuntimeError("the vault is down")
    source.clock.now += 3600 - 899
    for pauses in range(4):
        assert source.get() == 1
        source.settle()
        assert source.get() == 1
        assert source.fetched == 2 + pauses
        source.clock.now += PAUSE
    source.clock.now = 1000 + 3600 - 60
    with pytest.raises(CredentialsError, match="the value callable raised RuntimeError") as caught:
        source.get()
    assert caught.value.__cause__ is source.failure

    source.failure = None
    assert source.get() == source.fetched


def by_threads(source: Source, number: int) -> list[Any]:
    with ThreadPoolExecutor(number) as pool:
        numbers = [pool.submit(source.get) for _ in range(number)]
        source.began.acquire()
        source.gate.set()
        return [each.result() for each in numbers]


async def _outcome(source: Source) -> Any:
    try:
        return (await wait_for_async(source.value.steps())).number
    except CredentialsError as error:
        return str(error)


def by_tasks(source: Source, number: int) -> list[Any]:
    async def main() -> list[Any]:
        outcomes = [asyncio.create_task(_outcome(source)) for _ in range(number)]
        while not source.began.acquire(blocking=False):  # noqa: ASYNC110  # what releases it is a thread
            await asyncio.sleep(0)  # the loop is not blocked meanwhile
        source.gate.set()
        return [await each for each in outcomes]

    return asyncio.run(main())


def by_trio(source: Source, number: int) -> list[Any]:
    outcomes = []

    async def get() -> None:
        outcomes.append(await _outcome(source))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(number):
                nursery.start_soon(get)
            await trio.testing.wait_all_tasks_blocked()  # all of them wait for the same fetch
            source.gate.set()

    trio.run(main)
    return outcomes


@pytest.mark.parametrize(("many", "number"), [(by_threads, 100), (by_tasks, 1000), (by_trio, 20)])
def test_fetched_once_for_all(many: Callable[[Source, int], list[Any]], number: int) -> None:
    source = Source(3600)
    for times in (1, 2):  # at first, and when it has ended
        source.gate.clear()
        assert set(many(source, number)) == {times}
        assert source.fetched == times
        source.clock.now += 3600


@pytest.mark.parametrize(("many", "number"), [(by_tasks, 1000), (by_trio, 20)])
def test_one_failure_reaches_all_callers(many: Callable[[Source, int], list[Any]], number: int) -> None:
    source = Source(3600)
    source.failure = RuntimeError("down")
    source.gate.clear()

    assert many(source, number) == ["the value callable raised RuntimeError"] * number
    assert source.fetched == 1


@pytest.mark.parametrize("hours", [-5, 5])
def test_wall_clock_that_jumps_changes_nothing(hours: float) -> None:
    source = Source(3600)
    source.get()
    source.wall_is_ahead = timedelta(hours=hours)
    assert (source.get(), source.fetched) == (1, 1)
    source.clock.now += 3600
    assert (source.get(), source.fetched) == (2, 2)


def test_expired_value_is_not_kept() -> None:
    """Our clock may be wrong: whoever asked gets it, and the next one fetches another."""
    source = Source(-5)
    assert [source.get() for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize(("keeps", "numbers"), [(True, [1, 1, 1]), (False, [1, 2, 3])])
def test_value_without_an_end(keeps: bool, numbers: list[int]) -> None:
    """It is kept, or the source is called each time."""
    source = Source(None, keeps=keeps)
    assert [source.get() for _ in range(3)] == numbers


def test_callable_runs_in_callers_thread() -> None:
    threads: list[threading.Thread] = []

    def called() -> int:
        threads.append(threading.current_thread())
        return len(threads)

    value = Renewing(called, "value", keeps=False)
    assert [value() for _ in range(2)] == [1, 2]
    assert wait_for(value.renewed(2)) == 3, "after a refusal too"
    assert threads == [threading.current_thread()] * 3


def test_concurrent_callers_have_their_own() -> None:
    """A callable may depend on who calls it: a tenant in a context variable, for example."""
    ready = threading.Barrier(20)
    value = Renewing(threading.get_ident, "value", keeps=False)

    def get(_: int) -> bool:
        ready.wait()
        return value() == threading.get_ident()

    with ThreadPoolExecutor(20) as pool:
        assert all(pool.map(get, range(20)))


def test_first_expiring_value_is_fetched_once() -> None:
    source, ready = Source(3600, keeps=False), threading.Barrier(20)

    def get(_: int) -> int:
        ready.wait()
        return source.get()

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(get, range(20))) == {1}


def test_refused_value_is_not_used() -> None:
    source = Source(3600)
    used = source.value()
    source.gate.clear()
    next(source.value.renewed(used))
    with pytest.raises(CredentialsError, match="did not respond within 0 s"):
        wait_for(source.value.steps(0.001))
    source.gate.set()
    source.settle()
    assert source.get() == 2


def test_fetch_without_end_is_abandoned() -> None:
    source = Source(3600)
    source.gate.clear()
    first = source.gate
    with pytest.raises(CredentialsError, match="did not respond"):
        wait_for(source.value.steps(0.001))
    source.gate = threading.Event()
    source.gate.set()
    source.clock.now += 121
    assert source.get() == 2
    first.set()


def test_failure_is_logged_without_lock(caplog: pytest.LogCaptureFixture) -> None:
    """A handler may need the value itself."""
    source, seen = Source(3600), []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(source.get())

    source.get()
    source.failure = RuntimeError("down")
    source.clock.now += 3000
    logger = logging.getLogger("huaweicloud_auth")
    logger.addHandler(handler := Handler())
    try:
        assert source.get() == 1
        source.settle()
    finally:
        logger.removeHandler(handler)
    assert seen == [1]


def test_error_keeps_its_status_and_its_cause() -> None:
    source, cause = Source(3600), ValueError("the cause")
    source.failure = RejectedError("no")
    source.failure.status_code, source.failure.__cause__ = 403, cause
    with pytest.raises(CredentialsError) as caught:
        source.get()
    assert (caught.value.status_code, caught.value.__cause__) == (403, cause)


def test_source_that_exits_is_an_error() -> None:
    with pytest.raises(CredentialsError, match="the value callable raised SystemExit") as caught:
        Renewing(sys.exit, "value")()
    assert isinstance(caught.value.__cause__, SystemExit)


def test_rejected_source_is_not_called_again() -> None:
    source = Source(3600)
    source.failure = RejectedError("wrong password")
    for _ in range(3):
        with pytest.raises(CredentialsError, match="wrong password"):
            source.get()
    assert source.fetched == 1


def test_renewed_after_a_refusal() -> None:
    source = Source(3600)
    used = source.value()
    other = wait_for(source.value.renewed(used))
    assert other is not None
    assert other.number == 2
    assert wait_for(source.value.renewed(used)) is other  # the next one that was refused takes it
    assert source.fetched == 2

    source.failure = RuntimeError("down")
    assert wait_for(source.value.renewed(other)) is None


def test_unresponsive_source_raises() -> None:
    source = Source(3600)
    source.gate.clear()
    with pytest.raises(CredentialsError, match="did not respond within 0 s"):
        wait_for(source.value.steps(0.001))
    source.gate.set()
    source.settle()
    assert (source.get(), source.fetched) == (1, 1)  # what came late is kept


def test_fetch_sees_the_context_of_who_began_it() -> None:
    variable: ContextVar[int] = ContextVar("variable")
    variable.set(5)
    assert Renewing(variable.get, "value")() == 5


def test_failed_renewal_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    source = Source(3600)
    source.get()
    source.failure = RuntimeError("down")
    source.clock.now += 3000
    source.get()
    source.settle()
    assert caplog.messages == ["The value could not be renewed: the value callable raised RuntimeError"]


def test_pickles_its_source_and_no_value() -> None:
    source = Renewing(_numbered, "value")
    source()
    again = pickle.loads(pickle.dumps(source))
    assert again.known() is None
    assert again() == 7


def _numbered() -> int:
    return 7


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_child_fetches_for_itself() -> None:
    """The thread that fetches is not in the child."""
    source = Source(3600)
    source.gate.clear()
    waiting = threading.Thread(target=source.get)
    waiting.start()
    source.began.acquire()

    if (child := os.fork()) == 0:
        source.gate = threading.Event()
        source.gate.set()
        os._exit(0 if source.get() == 2 else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    source.gate.set()
    waiting.join()
