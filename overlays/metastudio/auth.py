"""The two ways to authenticate, as `httpx.Auth`: they work on any `httpx.Client` and `httpx.AsyncClient`."""

from collections.abc import Callable, Generator
from datetime import UTC, datetime

import httpx

from . import checks, signing
from .credentials import Credentials, CredentialsSource, Secret
from .errors import ConfigurationError


def _now() -> datetime:
    return datetime.now(UTC)


class AkSkAuth(httpx.Auth):
    """Signs each request with SDK-HMAC-SHA256, for any Huawei Cloud service.

    Args:
        credentials: A key pair, or a callable that returns one; it is asked before each signature.
        project_id: Sent and signed as `X-Project-Id`, which regional services ask for.
        now: The clock, in UTC.

    Raises:
        ConfigurationError: An argument is malformed.
    """

    def __init__(
        self, credentials: CredentialsSource, project_id: str | None = None, *, now: Callable[[], datetime] = _now
    ) -> None:
        if not isinstance(credentials, Credentials) and not callable(credentials):
            raise ConfigurationError("credentials must be a Credentials(ak, sk) or a callable that returns one")
        self._credentials = credentials
        self._project_id = None if project_id is None else checks.path_id("project_id", project_id)
        self._now = now

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign `request` and send it."""
        sign(request, self._current_credentials(), self._project_id, self._now())
        yield request

    def _current_credentials(self) -> Credentials:
        if isinstance(self._credentials, Credentials):
            return self._credentials
        credentials = self._credentials()
        if not isinstance(credentials, Credentials):
            raise ConfigurationError(f"the credentials callable returned {type(credentials)}, not Credentials")
        return credentials


class TokenAuth(httpx.Auth):
    """Sends an IAM user token as `X-Auth-Token`. The token must have project scope; it is valid for 24 hours.

    Args:
        token: The token, or a callable that returns one; it is asked before each request.

    Raises:
        ConfigurationError: The token is empty or not printable ASCII.
    """

    def __init__(self, token: str | Callable[[], str]) -> None:
        if isinstance(token, str):
            token = Secret(token)
            checks.header_value("the token", token)
        elif not callable(token):
            raise ConfigurationError("token must be a string or a callable that returns one")
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the token on `request` and send it."""
        request.headers["X-Auth-Token"] = self._current_token()
        yield request

    def _current_token(self) -> str:
        if isinstance(self._token, str):
            return self._token
        return checks.header_value("the token from the callable", Secret(self._token()))


def sign(request: httpx.Request, credentials: Credentials, project_id: str | None, now: datetime) -> None:
    """Sign `request` in place; what an earlier signature left on it is replaced."""
    headers = request.headers
    date = now.strftime(signing.DATE_FORMAT)
    for name in ("Authorization", "X-Security-Token"):
        headers.pop(name, None)
    headers["X-Sdk-Date"] = date
    if project_id is not None:
        headers["X-Project-Id"] = project_id
    if credentials.security_token is not None:
        headers["X-Security-Token"] = credentials.security_token
    body = _body(request)
    if body is None:
        headers["X-Sdk-Content-Sha256"] = signing.UNSIGNED_PAYLOAD
    values = _wire_headers(request)
    signed_headers = sorted(name for name in values if _is_signed(name, body))
    payload_hash = values.get("x-sdk-content-sha256") or signing.hash_hex(body or b"")
    target = request.url.raw_path.decode("ascii")
    canonical = signing.canonical_request(request.method.upper(), target, values, signed_headers, payload_hash)
    signature = signing.signature(credentials.sk, signing.string_to_sign(canonical, date))
    headers["Authorization"] = signing.authorization(credentials.ak, signed_headers, signature)


def _body(request: httpx.Request) -> bytes | None:
    """Return the body, or None for one that is streamed: it is not read into memory to be hashed."""
    try:
        return request.content
    except httpx.RequestNotRead:
        return None


def _is_signed(name: str, body: bytes | None) -> bool:
    # Everything else may be rewritten on the way by a proxy.
    return name == "host" or name.startswith("x-") or (name == "content-type" and body != b"")


def _wire_headers(request: httpx.Request) -> dict[str, str]:
    values: dict[str, str] = {}
    for raw_name, raw_value in request.headers.raw:
        name, value = raw_name.decode("ascii").lower(), raw_value.decode("utf-8", "surrogateescape")
        values[name] = f"{values[name]}, {value}" if name in values else value
    return values
