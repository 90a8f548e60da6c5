"""Sync connections whose reads and writes all end at the call's deadline.

httpx limits each read. A server that sends interim responses, header lines or trailers without end stays within each of
these limits, so that the call would never end.
"""

import socket
import ssl
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, Final, TypeVar

import httpcore
import httpx

T = TypeVar("T")

LATE: Final = "the response was not complete at the deadline"

_NO_LIMIT: Final = 1e9  # seconds


class _Limit(float):
    """The timeout of a phase in seconds, with the time left for the call."""

    left: Callable[[], float]


def seconds_left(request: httpx.Request) -> float | None:
    """Return the seconds left for the call, or None if the request does not belong to one."""
    left: Callable[[], float] | None = request.extensions.get("seconds_left")
    return None if left is None else left()


def limit(request: httpx.Request) -> None:
    """Add the call's deadline to the timeouts of a request's phases."""
    left = request.extensions.get("seconds_left")
    if left is not None:
        phases = request.extensions.get("timeout", {})
        request.extensions["timeout"] = {phase: _knowing(value, left) for phase, value in phases.items()}


def transport(verify: ssl.SSLContext | bool, proxy: httpx.Proxy | str | None) -> httpx.HTTPTransport:
    """Return httpx's own transport with such connections."""
    made = httpx.HTTPTransport(verify=verify, proxy=proxy)
    pool = made._pool  # noqa: SLF001  # httpx has no argument for either
    pool._network_backend = _Backend()  # noqa: SLF001  # likewise
    if proxy is not None:
        send = without_target(pool.handle_request)
        pool.handle_request = send  # type: ignore[assignment, method-assign]  # of this one pool
    return made


def without_target(handle: Callable[[httpcore.Request], T]) -> Callable[[httpcore.Request], T]:
    """Remove the extension `target`, which the request has applied: httpcore would apply it to CONNECT too."""

    def handle_without(request: httpcore.Request) -> T:
        request.extensions = {name: value for name, value in request.extensions.items() if name != "target"}
        return handle(request)

    return handle_without


def _knowing(seconds: float | None, left: Callable[[], float]) -> _Limit:
    made = _Limit(_NO_LIMIT if seconds is None else seconds)
    made.left = left
    return made


def _within(timeout: float | None) -> float | None:
    if not isinstance(timeout, _Limit):
        return timeout
    left = timeout.left()
    if left <= 0:
        raise httpcore.ReadTimeout(LATE)
    return min(timeout, left)


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return self._stream.read(max_bytes, _within(timeout))
        except httpcore.ReadTimeout:
            _within(timeout)  # raises an error that names the deadline, if it has passed
            raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _within(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _within(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.SyncBackend):
    """Splits the timeout among the addresses of a host; `socket.create_connection` would grant it to each of them."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        until = None if timeout is None else monotonic() + timeout
        addresses = _addresses(host, port)
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            share = None if until is None else max(until - monotonic(), 0.001) / left
            if isinstance(timeout, _Limit):
                share = _within(_knowing(share, timeout.left))
            try:
                return _Stream(super().connect_tcp(address, port, share, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if left == 1:
                    raise
        raise httpcore.ConnectError(f"no address found for {host}")


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(str(error)) from error
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
