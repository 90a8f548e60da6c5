"""A clock that is off is corrected once, for all, and said in the log."""

import asyncio
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from conftest import Connect
from metastudio import AkSkAuth, AsyncMetaStudio, AuthenticationError, Credentials, MetaStudio
from metastudio_sandbox import Sandbox
from raw_server import RawServer

REFERENCE_JOB = "26f06524-4f75-4b3a-a853-b649a21aaf66"
DATE = "Date: Tue, 05 Aug 2031 12:00:00 GMT"
REFUSED = b'{"error_code": "APIGW.0301", "error_msg": "no"}'


def off_by(difference: timedelta) -> Sandbox:
    return Sandbox(now=lambda: datetime.now(UTC) + difference)


def options_of(sandbox: Sandbox) -> dict[str, Any]:
    return {"endpoint": sandbox.url, "project_id": sandbox.project_id, "credentials": sandbox.credentials}


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


@pytest.mark.parametrize("difference", [timedelta(hours=1), timedelta(days=-400)], ids=["ahead", "behind"])
def test_it_is_corrected_once(connect: Connect, difference: timedelta, caplog: pytest.LogCaptureFixture) -> None:
    with off_by(difference) as sandbox:
        session = connect(**options_of(sandbox))
        for _ in range(3):
            assert session.show(REFERENCE_JOB).job_id == REFERENCE_JOB

        assert [seen.status for seen in sandbox.exchanges] == [401, 200, 200, 200]
    (said,) = warnings(caplog)
    assert " differs from the local clock by " in said
    assert said.endswith(" s: corrected")


@pytest.mark.parametrize("proven", [False, True], ids=["from the start", "later"])
def test_with_many_in_flight_all_get_through_and_it_is_said_once(
    proven: bool, caplog: pytest.LogCaptureFixture
) -> None:
    difference = [timedelta() if proven else timedelta(hours=-2)]
    at_once = 4 if proven else 20  # a sixth refusal would lock the key: after five, nothing is sent again

    async def main(sandbox: Sandbox) -> None:
        async with AsyncMetaStudio(**options_of(sandbox)) as studio:
            if proven:
                await studio.short_jobs.show(REFERENCE_JOB)
            difference[0] = timedelta(hours=-2)
            await asyncio.gather(*(studio.short_jobs.show(REFERENCE_JOB) for _ in range(at_once)))

    with Sandbox(now=lambda: datetime.now(UTC) + difference[0]) as sandbox:
        asyncio.run(main(sandbox))
        refused = sum(seen.status == 401 for seen in sandbox.exchanges)

    assert 1 <= refused <= (4 if proven else 3)
    assert len([each for each in warnings(caplog) if each.startswith("The clock of")]) == 1


def test_clock_that_was_set_makes_a_good_key_unproven(connect: Connect) -> None:
    """In a burst with a key that got in before, one goes ahead, is refused and corrected, and the others follow."""
    ahead = [timedelta()]

    async def main(sandbox: Sandbox) -> None:
        auth = AkSkAuth(sandbox.credentials, sandbox.project_id, now=lambda: datetime.now(UTC) + ahead[0])
        async with AsyncMetaStudio(endpoint=sandbox.url, project_id=sandbox.project_id, auth=auth) as studio:
            await studio.short_jobs.show(REFERENCE_JOB)
            ahead[0] = timedelta(hours=1)
            await asyncio.gather(*(studio.short_jobs.show(REFERENCE_JOB) for _ in range(200)))

    with Sandbox(validate=False) as sandbox:
        asyncio.run(main(sandbox))

        assert sum(seen.status == 401 for seen in sandbox.exchanges) == 1


def test_a_refusal_for_another_reason_is_not_sent_again(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    with off_by(timedelta(minutes=4)) as sandbox:
        wrong = options_of(sandbox) | {"credentials": Credentials(sandbox.credentials.ak, "wrong-secret-key")}
        with pytest.raises(AuthenticationError):
            connect(**wrong).show(REFERENCE_JOB)

        assert len(sandbox.exchanges) == 1
    assert warnings(caplog) == []


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (REFUSED, []),
        (REFUSED, ["Date: yesterday"]),
        (REFUSED, ["Date: Tue, 99 Aug 2031 12:00:00 GMT"]),
        (REFUSED, ["Date: Fri, 31 Dec 9999 23:59:59 GMT"]),
        (REFUSED, ["Date: Fri, 31 Dec 9999 23:59:59 -1200"]),
        (REFUSED, ["Date: Mon, 01 Jan 0900 00:00:00 GMT"]),
        (b'{"error_code": "APIGW.0303"}', [DATE]),
        (b"", [DATE]),
        (b'{"error_code": 301}', [DATE]),
        (b'["APIGW.0301"]', [DATE]),
    ],
    ids=[
        "no date",
        "no date either",
        "an impossible date",
        "the end of time",
        "and beyond",
        "before its beginning",
        "another code",
        "no code",
        "a code that is no string",
        "no object",
    ],
)
def test_without_reason_or_date_nothing_is_corrected(
    connect: Connect, server: RawServer, raw_options: dict[str, Any], body: bytes, headers: list[str]
) -> None:
    server.answer(body, "401 Unauthorized", *headers)

    with pytest.raises(AuthenticationError):
        connect(**raw_options).show("j")

    assert len(server.requests) == 1


def test_a_second_refusal_ends_it(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    server.answer(REFUSED, "401 Unauthorized", DATE)
    server.answer(REFUSED, "401 Unauthorized", DATE)

    with pytest.raises(AuthenticationError):
        connect(**raw_options).show("j")

    dates = [request.split(b"x-sdk-date: ")[1][:9] for request in map(bytes.lower, server.requests)]
    assert dates == [dates[0], b"20310805t"]
    assert dates[0] != dates[1]


def test_an_endpoints_offset_is_its_own(server: RawServer) -> None:
    with off_by(timedelta(hours=1)) as sandbox:
        auth = AkSkAuth(sandbox.credentials, sandbox.project_id)
        with MetaStudio(endpoint=sandbox.url, project_id=sandbox.project_id, auth=auth) as studio:
            studio.short_jobs.show(REFERENCE_JOB)
    server.answer(b"{}")
    with httpx.Client(auth=auth) as client:
        request = client.get(server.url).request

    sent = datetime.strptime(request.headers["X-Sdk-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs(sent - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_stream_is_used_up_and_not_sent_again(server: RawServer) -> None:
    def stream() -> Iterator[bytes]:
        yield b"once"

    server.answer(REFUSED, "401 Unauthorized", DATE)
    server.answer(b"{}")

    with httpx.Client(auth=AkSkAuth(Credentials("AK", "SK"))) as client:
        assert client.post(server.url, content=stream()).status_code == 401
        assert client.get(server.url).status_code == 200

    assert b"20310805T" in server.requests[1], "the clock was corrected all the same"
