"""`Sandbox`: the service and its object storage on two local ports."""

import secrets
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from . import contract as contracts
from . import environment, gateway
from .app import Service
from .exchanges import Exchange
from .faults import Fault, UploadFault
from .jobs import Jobs
from .server import Serving
from .storage import Storage

_LIMITS: Final = ("short_assess_min", "short_assess_max")


class Sandbox:
    """A sandbox of MetaStudio's short jobs, for demos and for tests of services that use them.

    It verifies signatures and tokens as the gateway does, and validates requests and responses against the contract.
    It starts with one job in each state of the contract. Error codes and rules follow the documentation where there
    is any; every number and string in an assessment is invented.

    Args:
        host: The host name or address to listen on. Requests to other host names than this and loopback are refused.
        port: The port to listen on; 0 picks a free one.
        storage_port: The port of the object storage.
        now: The gateway's clock, in UTC.
        validate: Whether to validate requests and responses against the contract, which takes most of the time.
        duration: How long a job runs after its commit, on the gateway's clock.
        limits: The shortest and the longest recording that may be assessed, in seconds; None omits the limit.
        upload_url_life: How long an upload URL is valid.
        upload_once: Whether to reject a second upload to the same URL.

    Attributes:
        clock_offset: How far the gateway's clock is ahead of `now`.

    Examples:
        >>> with Sandbox() as sandbox:
        ...     studio = MetaStudio(
        ...         endpoint=sandbox.url, project_id=sandbox.project_id, credentials=sandbox.credentials
        ...     )
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        storage_port: int = 0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        validate: bool = True,
        duration: timedelta = timedelta(seconds=0.5),
        limits: tuple[int | None, int | None] = (10, 600),
        upload_url_life: timedelta = timedelta(hours=24),
        upload_once: bool = False,
    ) -> None:
        self._contract = contracts.load()
        #: The valid permanent key pair, generated for each sandbox.
        self.credentials = gateway.new_keys("SANDBOX")
        #: The valid temporary key pair.
        self.temporary_credentials = gateway.new_keys("SANDBOXTEMP", secrets.token_urlsafe(90))
        self.clock_offset = timedelta()

        def gateway_now() -> datetime:
            return now() + self.clock_offset

        exchanges: deque[Exchange] = deque(maxlen=1000)
        jobs = Jobs(self._contract, gateway_now, duration)
        self._storage = Storage(
            self._contract, gateway.new_keys("SANDBOXOBS"), gateway_now, upload_url_life, upload_once, jobs, exchanges
        )
        self._service = Service(
            self._contract,
            project_id=contracts.path_example(self._contract, "project_id"),
            keys={each.ak: each for each in (self.credentials, self.temporary_credentials)},
            token=secrets.token_urlsafe(60),
            now=gateway_now,
            validate=validate,
            jobs=jobs,
            limits={name: value for name, value in zip(_LIMITS, limits, strict=True) if value is not None},
            upload_url=self._storage.upload_url,
            exchanges=exchanges,
        )
        for state in contracts.states(self._contract):
            self.add_job(state, job_id=contracts.path_example(self._contract, "job_id") if state == "SUCCEED" else None)
        self._serving = Serving(self._service.app, host, port, "metastudio-sandbox")
        self._serving_storage = Serving(self._storage.app, host, storage_port, "metastudio-sandbox-storage")

    @property
    def url(self) -> str:
        """The endpoint, `http://<host>:<port>`; with 127.0.0.1 if it listens on all interfaces."""
        if self._serving.url is None:
            raise RuntimeError("the sandbox is not running: use it in a `with` block, or call start()")
        return self._serving.url

    @property
    def project_id(self) -> str:
        """The ID of its only project, taken from the example in the API reference."""
        return self._service.project_id

    @property
    def token(self) -> str:
        """The only valid token, generated for each sandbox."""
        return self._service.token

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        """The current details of the jobs, by ID. Edit them to change what the service returns."""
        self._service.jobs.refresh()
        return self._service.jobs.details

    @property
    def exchanges(self) -> deque[Exchange]:
        """The last thousand requests to the service and the object storage, as received."""
        return self._service.exchanges

    @property
    def environment(self) -> dict[str, str]:
        """Variables that make the command and `MetaStudio()`, with or without a region, use this sandbox."""
        return environment.variables(self.url, self.project_id, self.credentials)

    def add_job(self, *states: str, job_id: str | None = None) -> str:
        """Add a short job and return its ID. With several states, it advances to the next after each `show`."""
        job_id = job_id or str(uuid.uuid4())
        self._service.jobs.add(job_id, *(states or ("SUCCEED",)))
        return job_id

    def move_job(self, job_id: str, state: str) -> None:
        """Put a job into another state, with the fields of that state; it stays there."""
        self._service.jobs.move(job_id, state)

    def advance(self, seconds: float) -> None:
        """Let running jobs advance by `seconds` at once; the gateway's clock stays as it is."""
        self._service.jobs.advance(seconds)

    def inject(self, fault: Fault, times: int = 1) -> None:
        """Apply a fault to the next requests: one of `metastudio_sandbox.faults`, or an async function of your own.

        Raises:
            TypeError: `fault` is not a fault; for example, it is `faults.throttled` instead of `faults.throttled()`.
            ValueError: `times` is below 1.
        """
        self._service.faults.next(fault, times)

    def inject_upload(self, fault: UploadFault, times: int = 1) -> None:
        """Apply a fault to the next uploads: one of `faults.upload_...`, or an async function of your own.

        Raises:
            TypeError: As for `inject`.
            ValueError: `times` is below 1.
        """
        self._storage.faults.next(fault, times)

    def inject_randomly(self, faults: Sequence[Fault], *, probability: float, seed: int) -> None:
        """From now on, apply one of `faults` to each request with the given probability.

        Raises:
            TypeError: As for `inject`.
            ValueError: `faults` is empty, or `probability` is not between 0 and 1.
        """
        self._service.faults.randomly(faults, probability, seed)

    def start(self) -> Self:
        """Serve in two threads until `stop`; return when both accept requests.

        Raises:
            OSError: A port is in use, or the host is not one of this machine.
            RuntimeError: The sandbox is already running, or a server cannot start.
        """
        if self._serving.url is not None:
            raise RuntimeError("the sandbox is already running")
        try:
            self._storage.port = self._serving_storage.start()
            self._serving.start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop listening and close every connection immediately, even if requests are in flight."""
        self._serving_storage.begin_to_stop()  # so that both stop in parallel
        self._serving.stop()
        self._serving_storage.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
