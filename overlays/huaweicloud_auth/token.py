"""`TokenAuth`: requests with an IAM user token."""

from collections.abc import Callable

import httpx

from . import gateway, validation
from .credentials import Secret, call_source
from .errors import ConfigurationError
from .flow import SteppedAuth, Steps
from .log import log
from .request import body


class TokenAuth(SteppedAuth):
    """Sends an IAM user token as `X-Auth-Token`. The token must have project scope; it is valid for 24 hours.

    Args:
        token: The token, or a callable that returns one. It is called before each request, and once more when the
            gateway says that the token must be renewed (`APIGW.0307`); the request is then sent once more.

    Raises:
        ConfigurationError: The token is no string, empty or not printable ASCII, or would go to another machine over
            plain http.
        CredentialsError: The callable failed. The request was not sent.
    """

    def __init__(self, token: str | Callable[[], str]) -> None:
        if isinstance(token, str):
            token = Secret(token)
            validation.header_value("the token", token)
        elif callable(token):
            validation.function("token", token, "a string or a function that returns one")
        else:
            token = type(token)  # it may be one in bytes, which a traceback with locals would show
            raise ConfigurationError(f"token must be a string or a function that returns one, not {token}")
        self._token = token

    def _steps(self, request: httpx.Request) -> Steps:
        """Authenticate `request` and send it."""
        validation.refuse_plain_http(request)
        request.headers["X-Auth-Token"] = self._current_token()
        response: httpx.Response = yield request
        if callable(self._token) and gateway.is_error(response, "0307") and body(request) is not None:
            log.warning("The token had to be renewed: sent again with the one that the callable returns now")
            request.headers["X-Auth-Token"] = self._current_token()
            yield request

    def _current_token(self) -> str:
        source = self._token
        if isinstance(source, str):
            return source
        token = call_source("token", lambda: _secret(source()))
        return validation.header_value("the token from the callable", token)


def _secret(token: object) -> Secret:
    if isinstance(token, str):
        return Secret(token)
    kind = type(token)
    del token  # a token in bytes, for one: a traceback with locals would show it
    raise ConfigurationError(f"the token callable returned {kind}, not a string")
