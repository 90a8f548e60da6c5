"""Time that passes only when somebody sleeps, for threads and for asyncio. Nothing sleeps for real."""

import asyncio
import selectors
import threading
from collections.abc import Callable
from typing import Any

from support import HANGS_AFTER


class Clock:
    """A clock, and a sleep for each of the loops."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.late = 0.0  # how much longer than it should a sleep takes
        self.stands = False  # whether no time passes even then
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += 0 if self.stands else seconds + self.late

    async def async_sleep(self, seconds: float) -> None:
        self.sleep(seconds)


class _Selector(selectors.DefaultSelector):
    """Waits for sockets for real; where nobody waits for one, time passes at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.slept: list[float] = []

    def select(self, timeout: float | None = None) -> Any:
        only_the_loops_own = len(self.get_map()) <= 1
        if timeout is not None and timeout <= 0:
            return super().select(0)
        if timeout is None or not only_the_loops_own:
            ready = super().select(HANGS_AFTER)
            if not ready:
                raise TimeoutError("a socket was waited for in vain: a test of timeouts needs real_time=True")
            return ready
        ready = super().select(HANGS_AFTER if _is_fetching() else 0)
        if not ready:
            self.slept.append(timeout)
            self.now += timeout
        return ready


def _is_fetching() -> bool:
    """Tell whether a thread fetches credentials: it will wake the loop, and takes no time."""
    return any(thread.name == "huaweicloud-auth" for thread in threading.enumerate())


class Loop(asyncio.SelectorEventLoop):
    """An event loop on such time. Its server must be in another thread."""

    def __init__(self) -> None:
        self.virtual = _Selector()
        super().__init__(self.virtual)

    def time(self) -> float:
        return self.virtual.now

    def run_in_executor(  # type: ignore[override]  # its generics need a newer Python
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Call it at once: time would pass while a thread works."""
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  # whoever awaits it gets it
            done.set_exception(error)
        return done

    @property
    def slept(self) -> list[float]:
        return self.virtual.slept
