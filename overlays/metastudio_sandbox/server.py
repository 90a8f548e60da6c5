"""The sandbox's HTTP servers: uvicorn, which says when it serves and stops at once."""

import asyncio
import socket
import threading
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol


class Server(uvicorn.Server):
    """Says when it serves, and cuts what is under way when it stops."""

    def __init__(self, app: Starlette) -> None:
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
                timeout_graceful_shutdown=1,  # for a fault of the user's own that does not end
            )
        )
        self.ready = threading.Event()
        self.failure: Exception | None = None

    def serve_until_stopped(self, listening: socket.socket) -> None:
        """Serve on a socket that listens; set `ready` when that is so, or when it failed."""
        try:
            self.run([listening])
        except Exception as error:  # noqa: BLE001  # it is raised in the thread that started this one
            self.failure = error
        finally:
            self.ready.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that it serves."""
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Cut every connection, then stop."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)


class _Protocol(H11Protocol):
    """Lets a fault reach the connection, as `request.state.transport`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.access_log = False  # also where somebody listens: the URL of an upload is a secret
        self.app_state = {**self.app_state, "transport": transport}


class Serving:
    """An application on a port of 127.0.0.1, served in a thread of its own."""

    def __init__(self, app: Callable[[], Starlette], port: int, name: str) -> None:
        self._app = app
        self._port = port
        self._name = name
        self._socket: socket.socket | None = None

    @property
    def url(self) -> str | None:
        """Where it is served, `http://127.0.0.1:<port>`; None if it is not."""
        if self._socket is None:
            return None
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def start(self) -> str:
        """Serve until `stop`; return the URL when it serves.

        Raises:
            OSError: The port is taken.
            RuntimeError: The server cannot start.
        """
        self._socket = socket.create_server(("127.0.0.1", self._port), backlog=512)
        # Head and body leave in two writes: without this, the second waits 40 ms for the first to be acknowledged.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server = Server(self._app())
        self._thread = threading.Thread(
            target=self._server.serve_until_stopped, args=(self._socket,), name=self._name, daemon=True
        )
        self._thread.start()
        self._server.ready.wait()
        if not self._server.started:
            self.stop()
            raise RuntimeError("the sandbox's server could not start") from self._server.failure
        return str(self.url)

    def begin_to_stop(self) -> None:
        """Let it stop, without waiting for it."""
        if self._socket is not None:
            self._server.should_exit = True

    def stop(self) -> None:
        """Close every connection and stop listening; at once, whatever is under way."""
        if self._socket is None:
            return
        self.begin_to_stop()
        self._thread.join()
        self._socket.close()
        self._socket = None
