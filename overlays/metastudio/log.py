"""The logger of this package, `metastudio`; silent until logging is configured."""

import logging
from typing import Any, Final

from huaweicloud_auth.errors import printable

log: Final = logging.getLogger("metastudio")
log.addHandler(logging.NullHandler())  # else Python prints warnings to stderr if logging is not configured


def response_fields(status: int | None, request_id: str | None) -> dict[str, Any]:
    """Return the fields of a record that a response gives."""
    return {"status": status, "request_id": None if request_id is None else printable(request_id, 80)}


def error_fields(error: Exception | None) -> dict[str, Any]:
    """Return the fields of a record that an error gives, if it has a response."""
    return response_fields(getattr(error, "status_code", None), getattr(error, "request_id", None))
