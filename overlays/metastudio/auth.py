"""The two ways to authenticate, as `httpx.Auth`: they work on any `httpx.Client` and `httpx.AsyncClient`."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs
import httpx

from . import checks, lockout, signing
from .credentials import Credentials, CredentialsSource, Secret
from .errors import AuthenticationError, ConfigurationError, status_error
from .flows import SteppedAuth, Steps
from .http_dates import http_date
from .log import log
from .signed_request import body, sign

#: The gateway refuses a date that is 15 minutes off; from this difference on, it is our clock that is taken for wrong.
MAX_CLOCK_DIFFERENCE: Final = timedelta(minutes=5)

_REFUSED_BEFORE: Final = "Not sent: the request that went ahead with this key was refused, as this one would be"


class AkSkAuth(SteppedAuth):
    """Signs each request with SDK-HMAC-SHA256, for any Huawei Cloud service.

    Where the gateway refuses a signature and its clock is more than five minutes off ours, the offset is corrected for
    that endpoint and the request signed and sent once more. Any other refusal is left as it is, and the key is kept
    from being locked: see `metastudio.lockout`.

    Args:
        credentials: A key pair, or a callable that returns one; it is asked before each signature.
        project_id: Sent and signed as `X-Project-Id`, which regional services ask for.
        now: The clock, aware of its time zone.

    Raises:
        ConfigurationError: An argument is malformed, or a request would go to another machine over plain http.
        AuthenticationError: While it is not known whether the key is good, another request with it was refused; or it
            was refused three times in a row. The request was not sent.
    """

    def __init__(
        self,
        credentials: CredentialsSource,
        project_id: str | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if not isinstance(credentials, Credentials) and not callable(credentials):
            raise ConfigurationError("credentials must be a Credentials(ak, sk) or a callable that returns one")
        self._credentials = credentials
        self._project_id = None if project_id is None else checks.path_id("project_id", project_id)
        self._now = now
        self._offsets: dict[bytes, timedelta] = {}

    def _steps(self, request: httpx.Request) -> Steps:
        """Authenticate `request` and send it."""
        _refuse_plain_http(request)
        credentials, endpoint = self._current_credentials(), request.url.netloc
        state = lockout.of(credentials, endpoint)
        while (outcome := state.enter(request)) is not None:
            refusal: AuthenticationError | None = yield outcome
            if refusal is not None:
                raise attrs.evolve(refusal, hint=_REFUSED_BEFORE)
        try:
            response: httpx.Response = yield self._signed(request, credentials, endpoint)
            if not response.is_success and self._corrects_clock(request, response):
                response = yield self._signed(request, self._current_credentials(), endpoint)
            _note(state, response)
        finally:
            state.left(request)

    def _signed(self, request: httpx.Request, credentials: Credentials, endpoint: bytes) -> httpx.Request:
        offset = self._offsets.get(endpoint, timedelta())
        sign(request, credentials, self._project_id, self._now() + offset)
        return request

    def _current_credentials(self) -> Credentials:
        if isinstance(self._credentials, Credentials):
            return self._credentials
        credentials = self._credentials()
        if not isinstance(credentials, Credentials):
            raise ConfigurationError(f"the credentials callable returned {type(credentials)}, not Credentials")
        return credentials

    def _corrects_clock(self, request: httpx.Request, response: httpx.Response) -> bool:
        """Correct our offset to the endpoint's clock, if that is why it refused; tell whether to send again."""
        if not _is_gateway_error(response, "0301") or (theirs := http_date(response.headers, "Date")) is None:
            return False
        signed = datetime.strptime(request.headers["X-Sdk-Date"], signing.DATE_FORMAT).replace(tzinfo=UTC)
        if abs(theirs - signed) <= MAX_CLOCK_DIFFERENCE:
            return False
        endpoint, offset = request.url.netloc, theirs - self._now()
        if abs(offset - self._offsets.get(endpoint, timedelta())) > MAX_CLOCK_DIFFERENCE:
            self._offsets[endpoint] = offset
            log.warning("The clock of %s is %.0f s ahead of ours: corrected", endpoint.decode(), offset.total_seconds())
        return body(request) is not None  # a stream is used up


class TokenAuth(SteppedAuth):
    """Sends an IAM user token as `X-Auth-Token`. The token must have project scope; it is valid for 24 hours.

    Args:
        token: The token, or a callable that returns one. It is asked before each request, and once more when the
            gateway says that the token must be renewed (`APIGW.0307`); the request is then sent once more.

    Raises:
        ConfigurationError: The token is no string, empty or not printable ASCII, or would go to another machine over
            plain http.
    """

    def __init__(self, token: str | Callable[[], str]) -> None:
        if isinstance(token, str):
            token = Secret(token)
            checks.header_value("the token", token)
        elif not callable(token):
            raise ConfigurationError("token must be a string or a callable that returns one")
        self._token = token

    def _steps(self, request: httpx.Request) -> Steps:
        """Authenticate `request` and send it."""
        _refuse_plain_http(request)
        response: httpx.Response = yield self._with_token(request)
        if callable(self._token) and _is_gateway_error(response, "0307") and body(request) is not None:
            log.warning("The token had to be renewed: sent again with the one that the callable returns now")
            yield self._with_token(request)

    def _with_token(self, request: httpx.Request) -> httpx.Request:
        request.headers["X-Auth-Token"] = (
            self._token
            if isinstance(self._token, str)
            else checks.header_value("the token from the callable", _secret(self._token()))
        )
        return request


def _secret(token: object) -> Secret:
    if isinstance(token, str):
        return Secret(token)
    kind = type(token)
    del token  # a token in bytes, for one: a traceback with locals would show it
    raise ConfigurationError(f"the token callable returned {kind}, not a string")


def _refuse_plain_http(request: httpx.Request) -> None:
    if request.url.scheme != "https" and not checks.is_loopback(request.url.host):
        raise ConfigurationError(f"{request.url.host}: plain http would show the credentials to the network; use https")


def _is_gateway_error(response: httpx.Response, code: str) -> bool:
    return response.is_client_error and status_error(response).gateway_code == code


def _note(state: lockout.Lockout, response: httpx.Response) -> None:
    """Tell `state` what the response says about the key, if anything."""
    if response.is_success:
        state.accepted()
    elif response.is_client_error:
        error = status_error(response)
        if isinstance(error, AuthenticationError):
            state.refused(error)
        elif error.error_code and error.gateway_code is None:
            state.accepted()  # an error of the service itself, not of the gateway before it: the signature had passed
