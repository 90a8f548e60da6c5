"""The sandbox's HTTP server: uvicorn, which says when it serves and stops at once."""

import asyncio
import socket
import threading

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
        self.app_state = {**self.app_state, "transport": transport}
