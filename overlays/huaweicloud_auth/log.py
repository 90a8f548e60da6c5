"""The logger of this package, `huaweicloud_auth`; silent until logging is configured."""

import logging
from typing import Any, Final

import httpx

log: Final = logging.getLogger("huaweicloud_auth")
log.addHandler(logging.NullHandler())  # else Python prints warnings to stderr if logging is not configured

#: The attributes that each record has, for formatters; None where they are not known.
FIELDS: Final = ("operation", "job_id", "attempt", "status", "request_id", "seconds")


def write(logger: logging.Logger, level: int, message: str, *args: object, **fields: Any) -> None:
    """Log a record with all `FIELDS`."""
    if not logger.isEnabledFor(level):
        return
    try:
        logger.log(level, message, *args, extra=dict.fromkeys(FIELDS) | fields, stacklevel=2)
    except KeyError:  # the application's record factory sets one of these names already
        logger.log(level, message, *args, stacklevel=2)


def about(request: httpx.Request, response: httpx.Response) -> dict[str, Any]:
    """Return the fields of a record about a response. The request's extension `log` has those that its client knows."""
    known: dict[str, Any] = request.extensions.get("log", {})
    return {"status": response.status_code, "request_id": response.headers.get("X-Request-Id")} | known
