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
from .guards import guard_of
from .key_guard import HELD_SECONDS, KeyGuard
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
        sent = 0
        while True:
            credentials = self._credentials
            if isinstance(credentials, Renewing):
                credentials = yield from credentials.steps(patience)
            guard = self._guard_of(credentials)
            try:
                refused_so_far = yield from self._admitted(guard, request)
                if refused_so_far is None:
                    continue  # the key was refused meanwhile, and may have a successor
                # Not the request itself, which would then hold itself.
                about = id(request), request.method, request.url
                request.extensions["before_sending"] = partial(guard.sending, *about, refused_so_far)
                self._sign(request, credentials, project_id)
                response: httpx.Response = yield request
                sent += 1
                can_repeat = sent == 1 and body(request) is not None
                if not (yield from self._mended(guard, request, response, credentials, can_repeat)):
                    return
            finally:
                guard.left(request)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the guard, which is this process's."""
        return self.__dict__ | {"_guard": None}

    def _guard_of(self, credentials: Credentials) -> KeyGuard:
        """Return the guard of a key; one that follows upon a good key of the same source is taken for good."""
        guard, before = guard_of(credentials), self._guard
        if before is not None and before is not guard:
            guard.succeed(before)
        self._guard = guard
        return guard

    def _admitted(self, guard: KeyGuard, request: httpx.Request) -> Generator[Wait, Any, int | None]:
        """Wait until `guard` lets the request go; return how many refusals there were until then.

        None says that there was another one while it waited, and that its cause may be mended.
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
                raise httpx.PoolTimeout(_IN_VAIN)
            refusal = yield Wait(change, min(HELD_SECONDS, patience - waited))
            if refusal is not None:
                raise refusals.before(request, refusal)

    def _sign(self, request: httpx.Request, credentials: Credentials, project_id: str | None) -> None:
        offset = self._offsets.get(request.url.netloc, timedelta())
        # Kept for whoever has to find out why it is refused.
        request.extensions["canonical_request"] = sign(request, credentials, project_id, self._now() + offset)

    def _mended(
        self, guard: KeyGuard, request: httpx.Request, response: httpx.Response, used: Credentials, can_repeat: bool
    ) -> Generator[Wait, Any, bool]:
        """Tell `guard` what the response says of the key; mend what it was refused for; tell whether to repeat it."""
        if not gateway.is_refusal(response):
            guard.accepted(request)
            return False
        if self._corrects_clock(request, response):
            guard.refused(request, response, mended=can_repeat)
            return can_repeat
        if not isinstance(self._credentials, Renewing) or not can_repeat:
            guard.refused(request, response, mended=False)
            return False
        guard.refused(request, response, mended=True)  # at once: what is not sent yet waits for the next key
        if (yield from self._credentials.renewed(used, seconds_to_wait(request))) is not None:
            return True
        guard.not_mended()
        return False

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
