"""Mutated responses, heads and TLS records: whatever comes, a call returns a job or raises an error of ours.

Seeded: a failure says its number, and `python -m pytest tests/fuzz -k ... ` sends the same bytes again.
"""

import asyncio
import gc
import os
import random
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import httpx
import pytest
import trustme

from metastudio import APIConnectionError, AsyncMetaStudio, Credentials, MetaStudio, MetaStudioError, ShortJob
from metastudio.aiohttp_transport import AiohttpTransport

pytestmark = pytest.mark.slow

CASES: Final = 2000
BODY: Final = (
    b'{"job_id": "j", "state": "SUCCEED", "create_time": 1700000000, "assess_result": {"snr": {"status": 0, '
    b'"actual": "30", "suggestion": "\xe6\x97\xa0"}, "speed": null, "suggestion": "x"}}'
)
_LENGTH: Final = b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
RESPONSES: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: r\r\n" + _LENGTH,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\nX-Trailer: a\r\n\r\n" % (len(BODY), BODY),
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n" + _LENGTH,
    b"HTTP/1.1 401 Unauthorized\r\nDate: Thu, 26 Nov 2026 10:00:00 GMT\r\nContent-Length: 64\r\n\r\n"
    b'{"error_code": "APIGW.0301", "error_msg": "canonicalRequest:x|"}',
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 28\r\n\r\n" + b'{"error_code": "APIGW.0308"}',
    b"HTTP/1.1 302 Found\r\nLocation: https://example.com/\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00",
    b"HTTP/1.0 502 Bad Gateway\r\n\r\n<html>",
)
PIECES: Final = (b"\r\n", b"\0", b":", b"\xff\xfe", b"{", b"[" * 60, b"-1", b"99999999999", b"\r\n ", b"\x1b[2J")


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return `data` with a few changes: bytes flipped, cut out, doubled, put in; or cut off."""
    changed = bytearray(data)
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        at = rng.randrange(len(changed) + 1)
        match rng.randrange(5):
            case 0 if at < len(changed):
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                del changed[at : at + rng.randrange(1, 20)]
            case 2:
                changed[at:at] = changed[at : at + rng.randrange(1, 40)]
            case 3:
                changed[at:at] = rng.choice(PIECES)
            case _ if rng.random() < 0.3:
                del changed[at:]
    return bytes(changed)


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Accept connections until the end; each is answered in a thread, and closed."""
    listener = socket.create_server(("127.0.0.1", 0))

    def one(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(10)
            answer(connection)

    threads: list[threading.Thread] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                threads.append(threading.Thread(target=one, args=(listener.accept()[0],), daemon=True))
                threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for thread in (accepting, *threads):
        thread.join()


def outcomes_of(kind: str, url: str, verify: ssl.SSLContext, count: int) -> Iterator[object]:
    """Yield what so many calls return or raise, each with a key of its own and a client of its own."""
    with asyncio.Runner() as runner:
        for number in range(count):
            options: dict[str, Any] = {
                "endpoint": url,
                "project_id": "p",
                "credentials": Credentials(f"FUZZ{kind}{url}{number}", "the-fuzzed-secret-key", "the-fuzzed-token"),
                "max_retries": 0,
                "timeout": 0.3,  # real: a record that was cut out leaves both sides waiting
                "total_timeout": 0.6,
            }
            try:
                yield shown(options, verify) if kind == "sync" else runner.run(shown_async(kind, options, verify))
            except Exception as error:  # noqa: BLE001  # whether it is one of ours is the question
                yield error


def shown(options: dict[str, Any], verify: ssl.SSLContext) -> ShortJob:
    with MetaStudio(**options, verify=verify) as studio:
        return studio.short_jobs.show("j")


async def shown_async(kind: str, options: dict[str, Any], verify: ssl.SSLContext) -> ShortJob:
    more: dict[str, Any] = {"verify": verify}
    if kind == "aiohttp":
        more = {"transport": AiohttpTransport(verify=verify)}
    async with AsyncMetaStudio(**options, **more) as studio:
        job = await studio.short_jobs.show("j")
    await asyncio.sleep(0)
    return job


def check(outcomes: Iterator[object]) -> None:
    """Every outcome is a job or an error of ours; an error of the connection has a cause; no secret is shown."""
    kinds = set()
    for number, outcome in enumerate(outcomes):
        assert isinstance(outcome, ShortJob | MetaStudioError), (number, repr(outcome))
        kinds.add(type(outcome))
        if isinstance(outcome, APIConnectionError):
            assert isinstance(outcome.__cause__, httpx.HTTPError | httpx.InvalidURL | OSError), (
                number,
                repr(outcome.__cause__),
            )
        if isinstance(outcome, MetaStudioError):
            assert str(outcome).isprintable(), number
            assert "the-fuzzed" not in f"{outcome}{vars(outcome)}", number
    assert len(kinds) > 1, "it was not always the same"


def descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH112, PTH208


@pytest.mark.parametrize("kind", ["sync", "async", "aiohttp"])
def test_responses_and_heads(kind: str) -> None:
    rng, verify = random.Random(kind), ssl.create_default_context()

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(mutated(rng.choice(RESPONSES), rng))

    before = descriptors()
    with serving(answer) as port:
        check(outcomes_of(kind, f"http://127.0.0.1:{port}", verify, CASES))
    assert descriptors() <= before, "none is left"


@pytest.mark.parametrize("kind", ["sync", "async", "aiohttp"])
def test_tls_records(kind: str) -> None:
    """A server whose records are changed on the way, from the handshake on."""
    authority, rng = trustme.CA(), random.Random(f"tls {kind}")
    verify, serves = ssl.create_default_context(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.configure_trust(verify)
    authority.issue_cert("127.0.0.1").configure_cert(serves)

    def answer(connection: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls, left = serves.wrap_bio(incoming, outgoing, server_side=True), rng.randrange(6)
        steps = [tls.do_handshake, lambda: tls.read(65536), lambda: tls.write(RESPONSES[0]), tls.unwrap]
        while steps:
            waits = False
            try:
                steps[0]()
                del steps[0]
            except ssl.SSLWantReadError:
                waits = True
            except ssl.SSLError:
                steps = []
            if record := outgoing.read():
                connection.sendall(record if left else mutated(record, rng))
                left -= 1
            elif waits:
                if not (data := connection.recv(65536)):
                    return
                incoming.write(data)

    before = descriptors()
    with serving(answer) as port:
        check(outcomes_of(kind, f"https://127.0.0.1:{port}", verify, CASES // 20))
    assert descriptors() <= before, "none is left"
