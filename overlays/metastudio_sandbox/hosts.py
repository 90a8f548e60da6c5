"""The host names of the sandbox. Requests to other names are refused, which stops DNS rebinding.

In DNS rebinding, a web page's own host name resolves to 127.0.0.1, so that a browser lets the page read the responses.
"""

import ipaddress
import re
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_HEADER: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::\d*)?")
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # addresses that only a server can use


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine's loopback."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return host.lower() == "localhost"


def url(host: str, port: int) -> str:
    """Return the URL at which clients reach a server on `host`; for all interfaces, that on loopback."""
    host = _EVERYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def name(header: str) -> str:
    """Return the host name in a `Host` header, in lower case and without the port, or "" if it is malformed."""
    found = _HEADER.fullmatch(header)
    return (found[1] or found[2]).lower() if found else ""


class Guard:
    """An ASGI application that refuses requests whose `Host` is neither loopback nor the given host.

    Args:
        app: Serves the other requests.
        host: The host name or address that the server listens on.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app, self._host = app, host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it with 421."""
        header = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        if is_loopback(name(header)) or name(header) == self._host.lower():
            await self._app(scope, receive, send)
            return
        said = f"This sandbox serves loopback and {self._host}. To reach it by another name, start it with that host.\n"
        await PlainTextResponse(said, 421)(scope, receive, send)
