"""One request to IAM, to STS or to the metadata service of an ECS."""

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
#: From here on, our clock is taken for wrong, and not that of the service.
_CLOCK_DIFFERENCE: Final = timedelta(minutes=5)


def endpoint(service: str, region: str, given: str | None = None) -> str:
    """Return the endpoint of `iam` or `sts` in a region: what is given, else what the environment has, else the usual.

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
    """Upon urllib: httpcore would log the headers of a response, and IAM's have a token."""

    def __init__(self, verify: Verify, proxy: str | None, timeout: float) -> None:
        self._verify, self._proxy, self._timeout = verify, proxy, timeout

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; no redirect is followed."""
        handlers: list[BaseHandler] = [ProxyHandler({} if self._proxy is None else {"https": self._proxy}), _AsItIs()]
        if request.url.scheme == "https":
            handlers.append(HTTPSHandler(context=httpx.create_ssl_context(self._verify)))
        before_sending = request.extensions.get("before_sending")  # as the auth has it
        if before_sending is not None:
            before_sending()
        headers, body = dict(request.headers.items()), request.content or None
        asked = Request(str(request.url), body, headers, method=request.method)  # noqa: S310  # its scheme was validated
        try:
            with build_opener(*handlers).open(asked, timeout=self._timeout) as response:
                content = response.read(_MAX_BODY)
        except (OSError, HTTPException, ValueError) as error:  # with urllib's URLError
            reason = getattr(error, "reason", error)
            failure = httpx.ConnectError(printable(f"{request.url.host}: {type(error).__name__}: {reason}"))
        else:
            named = [
                (name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
                for name, value in response.getheaders()
            ]
            named = [each for each in named if each[0].lower() != b"content-encoding"]
            return httpx.Response(response.status, headers=named, content=content)
        del asked, headers, body
        raise failure


class _AsItIs(HTTPErrorProcessor):
    """Neither follows a redirect nor raises for a status."""

    def http_response(self, request: Request, response: Any) -> Any:  # noqa: ARG002  # as urllib has it
        """Return the response."""
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
        what: What it is for, in errors.
        method: Its method.
        url: Its URL.
        auth: What signs it.
        verify: As in httpx.
        proxy: As in httpx; else that of the environment.
        is_local: Whether no proxy may come in between.
        timeout: Seconds for the connection and for each read.
        options: What else httpx takes: `headers`, `json`.

    Raises:
        ConfigurationError: The proxy is one that is not spoken to over http.
        CredentialsError: No response came back.
    """
    transport = _Transport(verify, None if is_local else _proxy(proxy, httpx.URL(url)), timeout)
    # An auth may have to wait for another source of keys.
    limits = httpx.Timeout(timeout, pool=PATIENCE)
    plain = {"Accept-Encoding": "identity"}
    try:
        with httpx.Client(auth=auth, transport=transport, trust_env=False, timeout=limits, headers=plain) as client:
            return client.request(method, url, **options)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        failure = CredentialsError(f"{what}: {printable(str(error))}")
    del options
    raise failure  # outside the except block: a traceback of httpx's has headers and bodies


def _proxy(given: Proxy, url: httpx.URL) -> str | None:
    proxy = given if isinstance(given, httpx.Proxy) else httpx.Proxy(str(given)) if given else None
    if proxy is None and (found := environment_proxy(url)) is not None:
        proxy = httpx.Proxy(str(found))
    if proxy is None:
        return None
    if proxy.url.scheme != "http":
        raise ConfigurationError("IAM and STS are asked through a proxy only if it is an http:// one")
    user = b":".join(quote_from_bytes(each).encode() for each in proxy.raw_auth) + b"@" if proxy.raw_auth else b""
    return Secret(f"http://{user.decode()}{proxy.url.netloc.decode()}")


def rejected(what: str, response: httpx.Response) -> str:
    """Say how a request was rejected: the status, and the code and message of the service."""
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
        CredentialsError: It has another status, or no JSON object.
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
    """Return when something ends, by our own clock, which may be off that of the service.

    Raises:
        CredentialsError: `text` is no date.
    """
    try:
        ends = datetime.fromisoformat(str(text))
        ends = ends if ends.tzinfo else ends.replace(tzinfo=UTC)
        theirs, ours = gateway.http_date(response.headers, "Date"), datetime.now(UTC)
        return ends if theirs is None or abs(theirs - ours) < _CLOCK_DIFFERENCE else ends + (ours - theirs)
    except (ValueError, OverflowError):
        raise CredentialsError(f"{what}: expires_at is no date: {printable(repr(text), 60)}") from None
