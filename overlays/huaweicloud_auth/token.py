"""`TokenAuth`: send requests with an IAM user token."""

from collections.abc import Callable
from functools import partial
from logging import WARNING

import httpx

from . import gateway, validation
from .credentials import Secret
from .errors import ConfigurationError
from .flow import SteppedAuth, Steps, seconds_to_wait
from .log import about, log, write
from .renewing import Renewing
from .request import body


class TokenAuth(SteppedAuth):
    """An `httpx.Auth` that sends an IAM user token as `X-Auth-Token`.

    The token must have project scope. It is valid for 24 hours.

    Args:
        token: The token, or a callable that returns one. The callable runs before each request, and once more if the
            gateway responds that the token must be renewed (`APIGW.0307`). If it then returns a different token, the
            request is sent once more.

    Raises:
        ConfigurationError: The token is not a string of printable ASCII, is empty, or would be sent to another machine
            over plain http.
        CredentialsError: The callable failed. The request was not sent.
    """

    def __init__(self, token: str | Callable[[], str]) -> None:
        self._token: Secret | Renewing[Secret]
        if isinstance(token, str):
            token = self._token = Secret(token)
            validation.header_value("the token", token)
        elif isinstance(token, Renewing):
            self._token = token
        elif callable(token):
            validation.function("token", token, "a string or a function that returns one")
            self._token = Renewing(partial(_checked, token), "token", keeps=False)
        else:
            token = type(token)  # it may be a token in bytes, which a traceback with locals would show
            raise ConfigurationError(f"token must be a string or a function that returns one, not {token}")

    def _steps(self, request: httpx.Request) -> Steps:
        """Authenticate `request` and send it."""
        validation.refuse_plain_http(request)
        if not isinstance(self._token, Renewing):
            request.headers["X-Auth-Token"] = self._token
            yield request
            return
        patience = seconds_to_wait(request)
        token = request.headers["X-Auth-Token"] = yield from self._token.steps(patience)
        response: httpx.Response = yield request
        if not gateway.is_error(response, "0307") or body(request) is None:
            return
        if (other := (yield from self._token.renewed(token, patience))) is not None:
            message = "The token had to be renewed: sending the request again with a new one"
            write(log, WARNING, message, **about(request, response))
            request.headers["X-Auth-Token"] = other
            yield request


def _checked(source: Callable[[], str]) -> Secret:
    token: object = source()
    if isinstance(token, str):
        token = Secret(token)
        validation.header_value("the token from the callable", token)
        return token
    kind = type(token)
    del token  # it may be a token in bytes, which a traceback with locals would show
    raise ConfigurationError(f"the token callable returned {kind}, not a string")
