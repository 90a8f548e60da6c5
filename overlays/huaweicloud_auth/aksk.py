"""`AkSkAuth`: requests signed with an access key pair, on any `httpx.Client` and `httpx.AsyncClient`."""

from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import httpx

from . import gateway, refusals, signing, validation
from .credentials import Credentials, CredentialsSource
from .errors import ConfigurationError
from .flow import SteppedAuth, Steps, Wait, seconds_to_wait
from .key_guard import HELD_SECONDS, KeyGuard, guard_of
from .log import log
from .renewing import Renewing
from .request import body, sign

#: The gateway refuses a date that is 15 minutes off; from this difference on, it is our clock that is taken for wrong.
MAX_CLOCK_DIFFERENCE: Final = timedelta(minutes=5)
_IN_VAIN: Final = "not sent: it waited too long for another request to show that the key is good"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class AkSkAuth(SteppedAuth):
    """Signs each request with SDK-HMAC-SHA256.

    Where the gateway refuses a signature and its clock is more than five minutes off ours, the offset is corrected for
    that endpoint and the request signed and sent once more. So it is where a callable returns another key by then.
    Any other refusal is left as it is, and the key is kept from being locked: see `huaweicloud_auth.key_guard`.

    Args:
        credentials: A key pair, or a callable that returns one. It is called before each signature, or, where its keys
            have `expires_at`, in a thread of its own before they end.
        project_id: Sent and signed as `X-Project-Id`, which regional services ask for; or what looks it up.
        now: The clock, aware of its time zone.

    Raises:
        ConfigurationError: An argument is malformed, or a request would go to another machine over plain http.
        CredentialsError: The callable failed. The request was not sent.
        KeyRefused: While it is not known whether the key is good, another request with it was refused; or it was
            refused three times in a row. The request was not sent.
        httpx.PoolTimeout: It waited too long for another request to show whether the key is good.
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
        for attempt in (1, 2):
            credentials = self._credentials
            if isinstance(credentials, Renewing):
                credentials = yield from credentials.steps(patience)
            guard = self._guard_of(credentials)
            try:
                refused_so_far = yield from self._admitted(guard, request)
                # Not the request itself, which would then hold itself.
                about = id(request), request.method, request.url
                request.extensions["before_sending"] = partial(guard.sending, *about, refused_so_far)
                self._sign(request, credentials, project_id)
                response: httpx.Response = yield request
                mended = attempt == 1 and (yield from self._mends(request, response, credentials))
                _note(guard, request, response, mended=mended)
            finally:
                guard.left(request)
            if not mended:
                return

    def _guard_of(self, credentials: Credentials) -> KeyGuard:
        """Return the guard of a key; one that follows upon a good key of the same source is taken for good."""
        guard, before = guard_of(credentials), self._guard
        if before is not None and before is not guard:
            guard.succeed(before)
        self._guard = guard
        return guard

    def _admitted(self, guard: KeyGuard, request: httpx.Request) -> Generator[Wait, Any, int]:
        """Wait until `guard` lets the request go; return how many refusals there were until then."""
        patience, since = seconds_to_wait(request), guard.now()
        while True:
            refused_so_far, waited = guard.refused_so_far, guard.now() - since
            change = guard.enter(request, self._now().timestamp(), waited)
            if change is None:
                return refused_so_far
            if waited >= patience:
                raise httpx.PoolTimeout(_IN_VAIN)
            refusal = yield Wait(change, min(HELD_SECONDS, patience - waited))
            if refusal is not None:
                raise refusals.before(request, refusal)

    def _sign(self, request: httpx.Request, credentials: Credentials, project_id: str | None) -> None:
        offset = self._offsets.get(request.url.netloc, timedelta())
        # Kept for whoever has to find out why it is refused.
        request.extensions["canonical_request"] = sign(request, credentials, project_id, self._now() + offset)

    def _mends(self, request: httpx.Request, response: httpx.Response, used: Credentials) -> Generator[Wait, Any, bool]:
        """Mend what the gateway refused the request for, if that can be done; tell whether to send it again."""
        if not gateway.is_refusal(response):
            return False
        mended = self._corrects_clock(request, response)
        if not mended and isinstance(self._credentials, Renewing):
            mended = (yield from self._credentials.renewed(used, seconds_to_wait(request))) is not None
        return mended and body(request) is not None

    def _corrects_clock(self, request: httpx.Request, response: httpx.Response) -> bool:
        """Correct our offset to the endpoint's clock, if that is off; tell whether it was."""
        if not gateway.is_error(response, "0301") or (theirs := gateway.http_date(response.headers, "Date")) is None:
            return False
        signed = datetime.strptime(request.headers["X-Sdk-Date"], signing.DATE_FORMAT).replace(tzinfo=UTC)
        if abs(theirs - signed) <= MAX_CLOCK_DIFFERENCE:
            return False
        endpoint, offset = request.url.netloc, theirs - self._now()
        if abs(offset - self._offsets.get(endpoint, timedelta())) > MAX_CLOCK_DIFFERENCE:
            self._offsets[endpoint] = offset
            log.warning("The clock of %s is %.0f s ahead of ours: corrected", endpoint.decode(), offset.total_seconds())
        return True


def renewing(source: Callable[[], Credentials]) -> Renewing[Credentials]:
    """Return keys that renew themselves, from a callable."""
    return source if isinstance(source, Renewing) else Renewing(partial(_checked, source), "credentials", keeps=False)


def _checked(source: Callable[[], Credentials]) -> Credentials:
    credentials = source()
    if not isinstance(credentials, Credentials):
        raise ConfigurationError(f"the credentials callable returned {type(credentials)}, not Credentials")
    return credentials


def _note(guard: KeyGuard, request: httpx.Request, response: httpx.Response, *, mended: bool) -> None:
    """Tell `guard` what the response says about the key."""
    if gateway.is_refusal(response):
        guard.refused(request, response, mended=mended)
    else:
        guard.accepted(request)
