"""A minimal HTTP/1.1 server on loopback, in its own process: it returns the same finished job (1 kB) to every request.

It verifies nothing and reads no body. It does not simulate the service, but it is fast enough for measurements.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from .contestants import JOB_ID

_METRIC: Final = {
    "expected": "30-100",
    "actual": "22",
    "suggestion": "",
    "suggestion_en": "Use a quiet room.",
    "status": 0,
}
_METRICS: Final = ("speed", "sound", "snr", "reverb", "dnsmos_ovrl", "dnsmos_bak", "dnsmos_sig", "rms")
_JOB: Final = {
    "job_type": "VOICE_ASSESS",
    "job_id": JOB_ID,
    "state": "SUCCEED",
    "create_time": 1700000000,
    "lastupdate_time": 1700000042,
    "assess_result": {**dict.fromkeys(_METRICS, _METRIC), "suggestion": "One metric is out of range."},
}
BODY: Final = json.dumps(_JOB).encode()
_RESPONSE: Final = (
    b"HTTP/1.1 200 OK\r\nServer: api-gateway\r\nDate: Fri, 02 Jan 2026 03:04:05 GMT\r\n"
    b"Content-Type: application/json\r\nX-Request-Id: 0123456789abcdef0123456789abcdef\r\nContent-Length: %d\r\n\r\n%b"
    % (len(BODY), BODY)
)
_END: Final = b"\r\n\r\n"


class _Connection(asyncio.Protocol):
    """Responds to each request head and keeps the connection open."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._unread = transport, b""

    def data_received(self, data: bytes) -> None:
        *heads, self._unread = (self._unread + data).split(_END)
        self._transport.write(_RESPONSE * len(heads))


@contextmanager
def running() -> Iterator[str]:
    """Run the server in another process and yield its URL."""
    command = [sys.executable, "-m", f"{__package__}.server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)  # until the parent process closes stdin
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve())
