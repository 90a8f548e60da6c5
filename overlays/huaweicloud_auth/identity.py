"""Send requests to IAM, STS or the metadata service of an ECS."""

import os
import ssl
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from typing import Any, Final, TypeAlias
from urllib.parse import quote_from_bytes
from urllib.request import BaseHandler, HTTPErrorProcessor, HTTPSHandler, ProxyHandler, Request, build_opener

import httpx

from . import gateway, validation
from .credentials import Secret
from .errors import ConfigurationError, CredentialsError, printable
from .proxies import environment_proxy
from .renewing import PATIENCE

Verify: TypeAlias = ssl.SSLContext | bool
Proxy: TypeAlias = str | httpx.Proxy | None

TIMEOUT: Final = 10.0  # seconds, for the connection and for each read
_MAX_BODY: Final = 1_000_000
#: Beyond this difference, the local clock is considered wrong.
_CLOCK_DIFFERENCE: Final = timedelta(minutes=5)


def endpoint(service: str, region: str, given: str | None = None) -> str:
    """Return the endpoint of `iam` or `sts`: the given one, else the environment's, else the region's default.

    The variables `HUAWEICLOUD_SDK_IAM_ENDPOINT` and `HUAWEICLOUD_SDK_STS_ENDPOINT` are the official SDK's.

    Raises:
        ConfigurationError: It is not `https://host[:port]`, or plain http to a host that is not loopback.
    """
    name = f"HUAWEICLOUD_SDK_{service.upper()}_ENDPOINT"
    url = given or os.environ.get(name)
    if url:
        return validation.endpoint(url, "endpoint" if given else name)
    return f"https://{service}.{validation.region(region)}.myhuaweicloud.com"


class _Transport(httpx.BaseTransport):
    """Sends with urllib: httpcore would log the response headers, and those of IAM contain a token."""

    def __init__(self, verify: Verify, proxy: str | None, timeout: float) -> None:
        self._verify, self._proxy, self._timeout = verify, proxy, timeout

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, without following redirects."""
        handlers: list[BaseHandler] = [ProxyHandler({} if self._proxy is None else {"https": self._proxy}), _AsItIs()]
        if request.url.scheme == "https":
            handlers.append(HTTPSHandler(context=httpx.create_ssl_context(self._verify)))
        before_sending = request.extensions.get("before_sending")  # set by the auth
        if before_sending is not None:
            before_sending()
        headers, body = dict(request.headers.items()), request.content or None
        outgoing = Request(str(request.url), body, headers, method=request.method)  # noqa: S310  # scheme was validated
        try:
            with build_opener(*handlers).open(outgoing, timeout=self._timeout) as response:
                content = response.read(_MAX_BODY)
        except (OSError, HTTPException, ValueError) as error:  # including urllib's URLError
            reason = getattr(error, "reason", error)
            failure = httpx.ConnectError(printable(f"{request.url.host}: {type(error).__name__}: {reason}"))
        else:
            received = [
                (name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
                for name, value in response.getheaders()
            ]
            received = [each for each in received if each[0].lower() != b"content-encoding"]
            return httpx.Response(response.status, headers=received, content=content)
        del outgoing, headers, body
        raise failure


class _AsItIs(HTTPErrorProcessor):
    """Neither follows redirects nor raises for a status."""

    def http_response(self, request: Request, response: Any) -> Any:  # noqa: ARG002  # urllib's signature
        """Return the response unchanged."""
        return response

    https_response = http_response


def send(
    what: str,
    method: str,
    url: str,
    *,
    auth: httpx.Auth | None = None,
    verify: Verify = True,
    proxy: Proxy = None,
    is_local: bool = False,
    timeout: float = TIMEOUT,
    **options: Any,
) -> httpx.Response:
    """Send a request and return the response, whatever its status.

    Args:
        what: What is requested, for error messages.
        method: The HTTP method.
        url: The URL.
        auth: Signs the request.
        verify: As in httpx.
        proxy: As in httpx. Defaults to the environment's.
        is_local: Whether to bypass every proxy.
        timeout: Seconds for the connection and for each read.
        options: Further options of httpx: `headers`, `json`.

    Raises:
        ConfigurationError: The proxy is not an http:// one.
        CredentialsError: No response was received.
    """
    transport = _Transport(verify, None if is_local else _proxy(proxy, httpx.URL(url)), timeout)
    # The auth may have to wait for its own credentials.
    limits = httpx.Timeout(timeout, pool=PATIENCE)
    plain = {"Accept-Encoding": "identity"}
    try:
        with httpx.Client(auth=auth, transport=transport, trust_env=False, timeout=limits, headers=plain) as client:
            return client.request(method, url, **options)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        failure = CredentialsError(f"{what}: {printable(str(error))}")
    del options
    raise failure  # outside the except block: httpx's traceback holds headers and bodies


def _proxy(given: Proxy, url: httpx.URL) -> str | None:
    proxy = given if isinstance(given, httpx.Proxy) else httpx.Proxy(str(given)) if given else None
    if proxy is None and (found := environment_proxy(url)) is not None:
        proxy = httpx.Proxy(str(found))
    if proxy is None:
        return None
    if proxy.url.scheme != "http":
        raise ConfigurationError("a proxy for IAM and STS must start with http://")
    user = b":".join(quote_from_bytes(each).encode() for each in proxy.raw_auth) + b"@" if proxy.raw_auth else b""
    return Secret(f"http://{user.decode()}{proxy.url.netloc.decode()}")


def rejected(what: str, response: httpx.Response) -> str:
    """Describe how a request was rejected: the status, and the service's code and message."""
    fields = gateway.error_fields(gateway.without_tokens(response.content))
    inner = fields.get("error")
    error = inner if isinstance(inner, dict) else fields
    code = error.get("error_code") or error.get("code") or ""
    message = error.get("error_msg") or error.get("message") or response.reason_phrase
    said = " ".join(str(each) for each in (code, str(message).partition(", canonicalRequest:")[0]) if each)
    return f"{what}: {response.url.host} responded {response.status_code} {printable(said, 200)}"


def fields(what: str, response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of a 2xx response.

    Raises:
        CredentialsError: The status is not 2xx, or the body is not a non-empty JSON object.
    """
    if not response.is_success:
        failure = CredentialsError(rejected(what, response))
        failure.status_code = response.status_code
        raise failure
    found = gateway.error_fields(response.content)
    if not found:
        raise CredentialsError(f"{what}: {response.url.host} responded {response.status_code} without a JSON object")
    return found


def expiry(what: str, text: object, response: httpx.Response) -> datetime:
    """Return when something expires by the local clock, which may differ from the service's.

    Raises:
        CredentialsError: `text` is not a date.
    """
    try:
        ends = datetime.fromisoformat(str(text))
        ends = ends if ends.tzinfo else ends.replace(tzinfo=UTC)
        theirs, ours = gateway.http_date(response.headers, "Date"), datetime.now(UTC)
        return ends if theirs is None or abs(theirs - ours) < _CLOCK_DIFFERENCE else ends + (ours - theirs)
    except (ValueError, OverflowError):
        raise CredentialsError(f"{what}: expires_at is not a date: {printable(repr(text), 60)}") from None
