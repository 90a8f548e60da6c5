"""The paces of a client: by region, shared out, and one for all who use it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from metastudio import AsyncMetaStudio, ConfigurationError, Credentials, MetaStudio
from metastudio.attempt import Call
from metastudio.pace import MAX_INTERVAL, Pace, paces
from metastudio_sandbox import Sandbox
from support.sessions import Connect
from support.virtual_time import Clock

LARGE = "https://metastudio.cn-north-4.myhuaweicloud.com"


@pytest.mark.parametrize(
    ("base_url", "share", "rates"),
    [
        (LARGE, 1, {"show": 20, "create": 10, "commit": 10}),
        (LARGE, 0.25, {"show": 5, "create": 2.5, "commit": 2.5}),
        ("https://metastudio.cn-east-3.myhuaweicloud.com", 1, {"show": 10, "create": 3, "commit": 3}),
        ("https://metastudio.tomorrow-1.myhuaweicloud.com", 1, {"show": 10, "create": 3, "commit": 3}),
        ("http://127.0.0.1:1", 1, {"show": 10, "create": 3, "commit": 3}),
    ],
)
def test_rates_of_an_endpoint(base_url: str, share: float, rates: dict[str, float]) -> None:
    assert {operation: pace.rate for operation, pace in paces(base_url, share).items()} == rates


def test_threads_take_different_places() -> None:
    pace = Pace(10)

    with ThreadPoolExecutor(16) as pool:
        places = sorted(pool.map(lambda _: pace.go(1000), range(200)))

    assert places == pytest.approx([number / 10 for number in range(200)])


def test_throttled_pace_recovers() -> None:
    pace = Pace(10)
    pace.throttled(sent=1, now=2, seconds=None)
    pace.throttled(sent=1.5, now=2.5, seconds=None)  # under way at the same time: it slows down once
    pace.go(3)
    assert pace.next == pytest.approx(3.2)
    for _ in range(100):
        pace.answered()
    pace.go(10)
    assert pace.next == pytest.approx(10.1)
    for moment in range(100):
        pace.throttled(sent=100 + moment, now=100 + moment, seconds=0)
    pace.go(1000)
    assert pace.next == pytest.approx(1000 + MAX_INTERVAL)


def test_deadline_counts_from_the_slot() -> None:
    clock, pace = Clock(), Pace(0.1)
    pace.go(clock())
    call = Call(max_retries=0, total_timeout=5, clock=clock, pace=pace)

    clock.sleep(call.turn())

    assert clock.slept == [10]
    assert call.seconds_left() == 5


def test_call_after_the_deadline_has_next_to_no_time(options: dict[str, Any]) -> None:
    with MetaStudio(**options) as studio:
        assert 0 < studio.short_jobs._caller.within(-1).total_timeout < 0.01


def test_waits_of_a_client_share_its_pace(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    """Those that begin at the same time poll one after the other."""
    session = connect(**options)
    session.clock.stands = True

    for _ in range(3):
        session.wait(sandbox.add_job("SUCCEED"), timeout=60)

    assert session.slept == pytest.approx([0.1, 0.2])


def test_assess_paces_create_and_commit(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    session = connect(**options, quota_share=0.5)
    created = [session.do("_create_paced", "CN", None) for _ in range(3)]

    assert len({each.job_id for each in created}) == 3
    assert session.slept == pytest.approx([1 / 1.5, 1 / 1.5], abs=0.01)


@pytest.mark.parametrize("share", [0, -1, 1.1, True, "1", float("nan")])
@pytest.mark.parametrize("studio", [MetaStudio, AsyncMetaStudio])
def test_invalid_share_raises(studio: type[MetaStudio | AsyncMetaStudio], share: Any) -> None:
    with pytest.raises(ConfigurationError, match="quota_share must be"):
        studio(region="cn-north-4", project_id="p", credentials=Credentials("AK", "SK"), quota_share=share)
