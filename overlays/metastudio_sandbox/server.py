"""The HTTP servers of the sandbox: uvicorn, with a signal for its start and an immediate stop."""

import asyncio
import socket
import threading
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from . import hosts


class Server(uvicorn.Server):
    """Sets `ready` when it accepts requests, and aborts open connections when it stops."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                date_header=False,
                server_header=False,
                timeout_graceful_shutdown=1,  # for a user's own fault that never returns
            )
        )
        self.ready = threading.Event()
        self.failure: Exception | None = None

    def serve_until_stopped(self, listening: socket.socket) -> None:
        """Serve on a listening socket; set `ready` when the server has started or failed."""
        try:
            self.run([listening])
        except Exception as error:  # noqa: BLE001  # raised again in the thread that started this one
            self.failure = error
        finally:
            self.ready.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then set `ready`."""
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Abort every connection, then stop."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)


class _Protocol(H11Protocol):
    """Exposes the connection to faults, as `request.state.transport`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.access_log = False  # even if uvicorn's logger is configured: an upload URL is a secret
        self.app_state = {**self.app_state, "transport": transport}


class Serving:
    """An application served on a port, in its own thread. It refuses requests to other hosts; see `hosts`."""

    def __init__(self, app: Callable[[], ASGIApp], host: str, port: int, name: str) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._name = name
        self._socket: socket.socket | None = None

    @property
    def url(self) -> str | None:
        """Its URL, `http://<host>:<port>`; None while it is not running."""
        if self._socket is None:
            return None
        return hosts.url(self._host, self._socket.getsockname()[1])

    def start(self) -> int:
        """Serve until `stop`; return the port when the server accepts requests.

        Raises:
            OSError: The port is in use, or the host is not one of this machine.
            RuntimeError: The server cannot start.
        """
        family, *_, address = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)[0]
        self._socket = socket.create_server(address, family=family, backlog=512)
        # Head and body are two writes: without this, the second waits 40 ms for the acknowledgement of the first.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server = Server(hosts.Guard(self._app(), self._host))
        self._thread = threading.Thread(
            target=self._server.serve_until_stopped, args=(self._socket,), name=self._name, daemon=True
        )
        self._thread.start()
        self._server.ready.wait()
        if not self._server.started:
            self.stop()
            raise RuntimeError("the sandbox's server could not start") from self._server.failure
        return int(self._socket.getsockname()[1])

    def begin_to_stop(self) -> None:
        """Begin to stop, without waiting until the server has stopped."""
        if self._socket is not None:
            self._server.should_exit = True

    def stop(self) -> None:
        """Stop listening and close every connection immediately, even if requests are in flight."""
        if self._socket is None:
            return
        self.begin_to_stop()
        self._thread.join()
        self._socket.close()
        self._socket = None
