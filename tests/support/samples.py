"""Values that many tests use."""

from itertools import count
from typing import Final

from metastudio import Credentials

#: The short job of Huawei's reference page, which every sandbox has.
REFERENCE_JOB: Final = "26f06524-4f75-4b3a-a853-b649a21aaf66"
#: The gateway's body for a refusal (status 401).
REFUSED: Final = b'{"error_code": "APIGW.0301", "error_msg": "verify aksk signature fail"}'
#: The gateway's body for an expired token (status 401).
TOKEN_EXPIRED: Final = b'{"error_code": "APIGW.0307", "error_msg": "the token must be updated"}'
_numbers: Final = count()


def new_access_key() -> str:
    """Return an access key that no other test has: a process keeps one guard for each."""
    return f"ACCESSKEY{next(_numbers)}"


def new_credentials(sk: str = "SK") -> Credentials:
    return Credentials(new_access_key(), sk)
