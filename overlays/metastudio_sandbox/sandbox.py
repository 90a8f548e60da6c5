"""`Sandbox`: the service's stand-in on a port of this machine, run in a thread."""

import secrets
import socket
import threading
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from metastudio import Credentials

from . import contract as contracts
from .app import Exchange, Service
from .faults import Fault
from .server import Server


class Sandbox:
    """MetaStudio's short jobs on 127.0.0.1, for demos and for the tests of services that use them.

    It verifies signatures and tokens as the gateway does, and holds requests and answers against the contract. One job
    in each state of the contract is there from the start. Codes and rules are the documented ones where there are
    any; every number and text in an assessment is invented.

    Args:
        port: The port to listen on; 0 takes a free one.
        now: The gateway's clock, in UTC.
        validate: Whether requests and answers are held against the contract. It takes most of the time of an answer.

    Attributes:
        clock_offset: How far the gateway's clock is ahead.

    Example:
        >>> with Sandbox() as sandbox:
        ...     studio = MetaStudio(
        ...         endpoint=sandbox.url, project_id=sandbox.project_id, credentials=sandbox.credentials
        ...     )
    """

    def __init__(
        self, *, port: int = 0, now: Callable[[], datetime] = lambda: datetime.now(UTC), validate: bool = True
    ) -> None:
        self._contract = contracts.load()
        #: The permanent key pair that it knows, made anew for each sandbox.
        self.credentials = Credentials(f"SANDBOX{secrets.token_hex(6).upper()}", secrets.token_urlsafe(30))
        #: The temporary one.
        self.temporary_credentials = Credentials(
            f"SANDBOXTEMP{secrets.token_hex(6).upper()}", secrets.token_urlsafe(30), secrets.token_urlsafe(90)
        )
        self._service = Service(
            self._contract,
            project_id=contracts.path_example(self._contract, "project_id"),
            keys={each.ak: each for each in (self.credentials, self.temporary_credentials)},
            token=secrets.token_urlsafe(60),
            now=lambda: now() + self.clock_offset,
            validate=validate,
        )
        self.clock_offset = timedelta()
        for state in contracts.states(self._contract):
            self.add_job(state, job_id=contracts.path_example(self._contract, "job_id") if state == "SUCCEED" else None)
        self._port = port
        self._socket: socket.socket | None = None

    @property
    def url(self) -> str:
        """The endpoint, `http://127.0.0.1:<port>`."""
        if self._socket is None:
            raise RuntimeError("the sandbox is not running: use it in a `with` block, or call start()")
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    @property
    def project_id(self) -> str:
        """The one project that it knows: the ID in the reference page's example."""
        return self._service.project_id

    @property
    def token(self) -> str:
        """The one token that it knows, made anew for each sandbox."""
        return self._service.token

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        """The jobs by ID, as they are answered. Edit them to move a job on."""
        return self._service.jobs

    @property
    def exchanges(self) -> deque[Exchange]:
        """The last thousand requests, as they arrived."""
        return self._service.exchanges

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that point `MetaStudio()` and the command at this sandbox."""
        return {
            "METASTUDIO_ENDPOINT": self.url,
            "HUAWEICLOUD_SDK_PROJECT_ID": self.project_id,
            "HUAWEICLOUD_SDK_AK": self.credentials.ak,
            "HUAWEICLOUD_SDK_SK": str(self.credentials.sk),
        }

    def add_job(self, *states: str, job_id: str | None = None) -> str:
        """Add a short job and return its ID. With several states it moves on to the next whenever it is shown."""
        job_id = job_id or str(uuid.uuid4())
        first, *others = states or ("SUCCEED",)
        self._service.add_job(job_id, first)
        self._service.upcoming[job_id] = deque(others)
        return job_id

    def move_job(self, job_id: str, state: str) -> None:
        """Put a job into another state, with the fields that go with it. There it stays."""
        self._service.upcoming.pop(job_id, None)
        self._service.add_job(job_id, state)

    def inject(self, fault: Fault, times: int = 1) -> None:
        """Spoil the next requests with one of `metastudio_sandbox.faults`, or an async function of your own.

        Raises:
            TypeError: It is not a fault, but perhaps what makes one: `faults.throttled` for `faults.throttled()`.
            ValueError: `times` is below 1.
        """
        self._service.faults.next(fault, times)

    def inject_randomly(self, faults: Sequence[Fault], *, probability: float, seed: int) -> None:
        """From now on, spoil requests with a probability, each time with one of `faults`.

        Raises:
            TypeError: As for `inject`.
            ValueError: `faults` is empty, or `probability` not between 0 and 1.
        """
        self._service.faults.randomly(faults, probability, seed)

    def start(self) -> Self:
        """Serve in a thread until `stop`; return when it serves.

        Raises:
            OSError: The port is taken.
            RuntimeError: It is running already, or the server cannot start.
        """
        if self._socket is not None:
            raise RuntimeError("the sandbox is running already")
        self._socket = socket.create_server(("127.0.0.1", self._port), backlog=512)
        # Head and body leave in two writes: without this, the second waits 40 ms for the first to be acknowledged.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server = Server(self._service.app())
        self._thread = threading.Thread(
            target=self._server.serve_until_stopped, args=(self._socket,), name="metastudio-sandbox", daemon=True
        )
        self._thread.start()
        self._server.ready.wait()
        if not self._server.started:
            self.stop()
            raise RuntimeError("the sandbox's server could not start") from self._server.failure
        return self

    def stop(self) -> None:
        """Close every connection and stop listening; at once, whatever is under way."""
        if self._socket is None:
            return
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
        self._socket = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
