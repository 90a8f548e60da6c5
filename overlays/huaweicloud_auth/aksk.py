"""`AkSkAuth`: sign requests with an access key pair, on any `httpx.Client` or `httpx.AsyncClient`."""

from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from functools import partial
from logging import WARNING
from typing import Any, Final

import httpx

from . import gateway, refusals, signing, validation
from .credentials import Credentials, CredentialsSource
from .errors import ConfigurationError
from .flow import SteppedAuth, Steps, Wait, seconds_to_wait
from .guards import guard_of
from .key_guard import HELD_SECONDS, KeyGuard
from .log import about, log, write
from .renewing import Renewing
from .request import body, sign

#: The gateway refuses dates that are 15 minutes off. Beyond this difference, the local clock is considered wrong.
MAX_CLOCK_DIFFERENCE: Final = timedelta(minutes=5)
_WAITED_TOO_LONG: Final = "not sent: waited too long for another request to show whether the key is valid"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class AkSkAuth(SteppedAuth):
    """An `httpx.Auth` that signs each request with SDK-HMAC-SHA256.

    If the gateway refuses a signature and its clock differs from the local one by more than five minutes, the request
    is signed with the gateway's time and sent once more; later requests to that endpoint use its time too. A refused
    request is also sent once more if a callable returns different credentials by then. Other refusals are returned.
    Requests may have to wait for others, so that the key is not locked: see `huaweicloud_auth.key_guard`.

    Args:
        credentials: A key pair, or a callable that returns one. The callable runs before each signature; if its
            credentials have `expires_at`, it runs in a separate thread before they expire.
        project_id: Sent and signed as `X-Project-Id`, which regional services require; or what looks it up.
        now: Returns the current time, with a time zone.

    Raises:
        ConfigurationError: An argument is malformed, or a request would go to another machine over plain http.
        CredentialsError: The callable failed. The request was not sent.
        KeyRefused: The key was refused three times in a row, or another request was refused before any response
            showed that the key is valid. The request was not sent.
        httpx.PoolTimeout: The request waited too long for another one to show whether the key is valid.
    """

    def __init__(
        self,
        credentials: CredentialsSource,
        project_id: str | Renewing[str] | None = None,
        *,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        if callable(credentials):
            validation.function("credentials", credentials, "a Credentials(ak, sk) or a function that returns one")
        elif not isinstance(credentials, Credentials):
            kind = type(credentials)
            del credentials  # it may hold a secret, which a traceback with locals would show
            raise ConfigurationError(f"credentials must be a Credentials or a function that returns one, not {kind}")
        self._credentials = renewing(credentials) if callable(credentials) else credentials
        if project_id is not None and not isinstance(project_id, Renewing):
            validation.path_id("project_id", project_id)
        self._project_id, self._now = project_id, now
        self._guard: KeyGuard | None = None
        self._offsets: dict[bytes, timedelta] = {}

    def _steps(self, request: httpx.Request) -> Steps:
        """Authenticate `request` and send it."""
        validation.refuse_plain_http(request)
        patience = seconds_to_wait(request)
        project_id = self._project_id
        if isinstance(project_id, Renewing):
            project_id = yield from project_id.steps(patience)
        sent = 0
        while True:
            credentials = self._credentials
            if isinstance(credentials, Renewing):
                credentials = yield from credentials.steps(patience)
            guard = self._guard_of(credentials)
            try:
                refused_so_far = yield from self._admitted(guard, request)
                if refused_so_far is None:
                    continue  # the key was refused in the meantime, and the source may have a new one
                # Not the request itself, which would be a reference cycle.
                about = id(request), request.method, request.url
                request.extensions["before_sending"] = partial(guard.sending, *about, refused_so_far)
                self._sign(request, credentials, project_id)
                response: httpx.Response = yield request
                sent += 1
                can_retry = sent == 1 and body(request) is not None
                if not (yield from self._process(guard, request, response, credentials, can_retry)):
                    return
            finally:
                guard.left(request)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the guard, which belongs to this process."""
        return self.__dict__ | {"_guard": None}

    def _guard_of(self, credentials: Credentials) -> KeyGuard:
        """Return the guard of a key pair, and trust the pair if the previous one of the same source was valid."""
        guard, before = guard_of(credentials), self._guard
        if before is not None and before is not guard:
            guard.succeed(before)
        self._guard = guard
        return guard

    def _admitted(self, guard: KeyGuard, request: httpx.Request) -> Generator[Wait, Any, int | None]:
        """Wait until `guard` admits the request; return the number of refusals so far.

        Return None if there was another refusal during the wait, and the source may have new credentials.
        """
        patience, since, refused_so_far = seconds_to_wait(request), guard.now(), guard.refused_so_far
        while True:
            waited = guard.now() - since
            if guard.refused_so_far != refused_so_far and isinstance(self._credentials, Renewing):
                return None
            refused_so_far = guard.refused_so_far
            change = guard.enter(request, self._now().timestamp(), waited)
            if change is None:
                return refused_so_far
            if waited >= patience:
                raise httpx.PoolTimeout(_WAITED_TOO_LONG)
            refusal = yield Wait(change, min(HELD_SECONDS, patience - waited))
            if refusal is not None:
                raise refusals.before(request, refusal)

    def _sign(self, request: httpx.Request, credentials: Credentials, project_id: str | None) -> None:
        offset = self._offsets.get(request.url.netloc, timedelta())
        # Kept to find out why a signature was refused.
        request.extensions["canonical_request"] = sign(request, credentials, project_id, self._now() + offset)

    def _process(
        self, guard: KeyGuard, request: httpx.Request, response: httpx.Response, used: Credentials, can_retry: bool
    ) -> Generator[Wait, Any, bool]:
        """Report the response to `guard`, and fix the cause of a refusal; return whether to send the request again."""
        if not gateway.is_refusal(response):
            guard.accepted(request)
            return False
        if self._corrects_clock(request, response):
            guard.refused(request, response, fixed=can_retry)
            return can_retry
        if not isinstance(self._credentials, Renewing) or not can_retry:
            guard.refused(request, response, fixed=False)
            return False
        guard.refused(request, response, fixed=True)  # at once, so that unsent requests wait for the next key
        if (yield from self._credentials.renewed(used, seconds_to_wait(request))) is not None:
            return True
        guard.not_fixed()
        return False

    def _corrects_clock(self, request: httpx.Request, response: httpx.Response) -> bool:
        """Store the offset to the endpoint's clock if the local clock is wrong; return whether it is."""
        if not gateway.is_error(response, "0301") or (theirs := gateway.http_date(response.headers, "Date")) is None:
            return False
        signed = datetime.strptime(request.headers["X-Sdk-Date"], signing.DATE_FORMAT).replace(tzinfo=UTC)
        if abs(theirs - signed) <= MAX_CLOCK_DIFFERENCE:
            return False
        endpoint, offset = request.url.netloc, theirs - self._now()
        if abs(offset - self._offsets.get(endpoint, timedelta())) > MAX_CLOCK_DIFFERENCE:
            self._offsets[endpoint] = offset
            message = "The clock of %s differs from the local clock by %+.0f s: corrected"
            fields = about(request, response)
            write(log, WARNING, message, endpoint.decode(), offset.total_seconds(), **fields)
        return True


def renewing(source: Callable[[], Credentials]) -> Renewing[Credentials]:
    """Wrap a callable in a `Renewing`, unless it is one already."""
    return source if isinstance(source, Renewing) else Renewing(partial(_checked, source), "credentials", keeps=False)


def _checked(source: Callable[[], Credentials]) -> Credentials:
    credentials = source()
    if not isinstance(credentials, Credentials):
        raise ConfigurationError(f"the credentials callable returned {type(credentials)}, not Credentials")
    return credentials
