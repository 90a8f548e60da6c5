"""The error tree, and how a response becomes an error.

The class depends on the status *and* the code of the response: the service reports some authentication failures with
status 400. Errors keep no request, since a request carries credentials.
"""

from typing import Final

import attrs
import httpx

from huaweicloud_auth import gateway
from huaweicloud_auth.errors import ConfigurationError as ConfigurationError
from huaweicloud_auth.errors import CredentialsError as CredentialsError
from huaweicloud_auth.errors import HuaweiCloudError
from huaweicloud_auth.errors import printable as printable
from metastudio_client.models import ShortJob

#: An alias of the base class, which is never raised itself.
MetaStudioError = HuaweiCloudError


class APIConnectionError(MetaStudioError):
    """No response was received: the connection was refused, lost or never made."""


class APITimeoutError(APIConnectionError):
    """No response was received in time."""


@attrs.define(slots=False, repr=False)
class APIResponseValidationError(MetaStudioError):
    """A 2xx response that does not match the contract.

    Attributes:
        reason: What is wrong with it.
        status_code: The HTTP status.
        headers: Its headers.
        body: Its body.
    """

    reason: str
    status_code: int
    headers: httpx.Headers
    body: bytes

    def __str__(self) -> str:
        return printable(f"{self.reason} (status {self.status_code}): {_excerpt(self.body)}")


@attrs.define(slots=False, repr=False)
class APIStatusError(MetaStudioError):
    """The gateway or the service responded with a status that is not 2xx.

    Attributes:
        status_code: The HTTP status.
        error_code: An opaque string such as `APIGW.0301`.
        error_msg: The message of the service.
        request_id: Quote it when asking for support.
        headers: The response's headers.
        body: The response's body. A security token that it quotes is masked.
        hint: What to do about it, or None.
    """

    status_code: int
    error_code: str | None
    error_msg: str | None
    request_id: str | None
    headers: httpx.Headers
    body: bytes
    hint: str | None = None

    @property
    def gateway_code(self) -> str | None:
        """The number of a gateway code, or None: `0301` for `APIGW.0301` (which some pages spell `APIG.0301`)."""
        return gateway.gateway_code(self.error_code)

    @property
    def canonical_request(self) -> str | None:
        """The canonical request that the gateway computed, with its token masked, or None if it is not quoted."""
        return gateway.canonical_request(self.error_msg or "")

    def __str__(self) -> str:
        message = self.error_msg or ("" if self.error_code else _excerpt(self.body)) or "no message"
        message = message.partition(", canonicalRequest:")[0]  # too long for one line
        parts = [f"{self.status_code} {printable(self.error_code or '(no error code)', 80)}: {printable(message, 200)}"]
        if self.request_id:
            parts.append(printable(f"(request ID {self.request_id})", limit=80))
        if self.hint:
            parts.append(f"- {self.hint}")
        return " ".join(parts)


class BadRequestError(APIStatusError):
    """400: a parameter is wrong."""


class AuthenticationError(APIStatusError):
    """401, or an authentication code with another status: the signature, key or token was refused."""


class PermissionDeniedError(APIStatusError):
    """403, or a permission code with another status: the key or token is valid, but not allowed to do this."""


class NotFoundError(APIStatusError):
    """404: no such API or resource."""


class RateLimitError(APIStatusError):
    """429: throttled."""


class InternalServerError(APIStatusError):
    """5xx: the gateway or the service failed."""


@attrs.define(slots=False, repr=False)
class ShortJobFailed(MetaStudioError):  # noqa: N818  # the job failed, not the call
    """A short job ended in a failure state.

    Attributes:
        job: The job, which may have `job_failed_code` and `job_failed_reason`.
    """

    job: ShortJob

    def __str__(self) -> str:
        reason = ": ".join(str(each) for each in (self.job.job_failed_code, self.job.job_failed_reason) if each)
        return printable(f"short job {self.job.job_id} ended in {self.job.state} ({reason or 'no reason given'})")


@attrs.define(slots=False, repr=False)
class WaitTimeout(MetaStudioError):  # noqa: N818  # like the standard library's names for it
    """A short job did not finish in time. It may still finish: another wait can continue from here.

    Attributes:
        job_id, timeout: The job's ID, and the timeout in seconds.
        job: The last response, or None if there was none.
    """

    job_id: str
    timeout: float
    job: ShortJob | None

    def __str__(self) -> str:
        last = "there was no response" if self.job is None else f"its last state was {self.job.state or 'not given'}"
        lost = f"; the last poll failed: {self.__cause__}" if self.__cause__ else ""
        return printable(f"short job {self.job_id} did not finish within {self.timeout:g} s; {last}{lost}")


_CLASS_BY_STATUS: Final[dict[int, type[APIStatusError]]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    429: RateLimitError,
}
_CLASS_BY_CODE: Final = {"MSS.00010008": AuthenticationError, "MSS.00010009": PermissionDeniedError}
# What to do about the codes that users may see.
_HINTS: Final[dict[str, str]] = {
    "APIGW.0301": "Check the key pair, its project and region, and the clock; `metastudio sign` shows what was signed. "
    "More than five refusals in a row lock a key for five minutes",
    "APIGW.0303": "Check the key pair or token: this API does not accept it",
    "APIGW.0307": "The token has expired (after 24 hours): get a new one",
    "APIGW.0308": "The account's quota for this API is used up: send fewer requests",
    "MSS.00010009": "Use the project ID that belongs to the credentials in this region",
}
_HINT_OF_TOKENS: Final = "Check the token: it must have project scope, and is valid in one region and for 24 hours"


def status_error(response: httpx.Response, signed: str | None = None, *, is_token: bool = False) -> APIStatusError:
    """Return the error for a response that is not 2xx, with a hint about the `signed` request or the token."""
    status, body = response.status_code, gateway.without_tokens(response.content)
    fields = gateway.error_fields(body)
    code = _text(fields.get("error_code"))
    fallback = InternalServerError if status >= 500 else APIStatusError
    error_class = _CLASS_BY_CODE.get(code or "") or _CLASS_BY_STATUS.get(status, fallback)
    message, hint = _text(fields.get("error_msg")), _HINTS.get((code or "").replace("APIG.", "APIGW."))
    if code == "MSS.00010008" or (is_token and error_class is AuthenticationError and code != "APIGW.0307"):
        hint = _HINT_OF_TOKENS
    theirs = gateway.canonical_request(message or "")
    if theirs and signed and (difference := gateway.difference(theirs, signed)):
        hint = f"The signed request was changed on the way: {difference}"
    request_id = _text(fields.get("request_id")) or response.headers.get("X-Request-Id")
    return error_class(status, code, message, request_id, response.headers, body, hint)


def validation_error(response: httpx.Response, reason: str) -> APIResponseValidationError:
    """Return the error for a 2xx response that does not match the contract."""
    return APIResponseValidationError(reason, response.status_code, response.headers, response.content)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _excerpt(body: bytes) -> str:
    return printable(body[:1000].decode("utf-8", "replace"), limit=120) or "empty body"
