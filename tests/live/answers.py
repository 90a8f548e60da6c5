"""`Answers`: records what the service answered, for the table that `hooks` prints."""

import os
import re
from contextlib import suppress
from typing import Final

import attrs
import httpx
import pytest

from huaweicloud_auth import AkSkAuth, Credentials
from huaweicloud_auth.errors import HuaweiCloudError
from live.hooks import ANSWER
from live.redaction import redacted
from metastudio import MetaStudio

_PREFIXES: Final = ("HUAWEICLOUD_SDK_", "HW_", "METASTUDIO_")
#: The tests' own environment is wiped before each of them; this module is imported before that.
ENVIRONMENT: Final = {name: value for name, value in os.environ.items() if name == "HOME" or name.startswith(_PREFIXES)}
#: The job that the environment names; empty where it names none.
JOB_ID: Final = ENVIRONMENT.get("METASTUDIO_LIVE_JOB_ID", "")
_SECRET_NAME: Final = re.compile(r"(AK|SK|KEY|TOKEN|PASSWORD)$")
_SECRET_HEADERS: Final = ("X-Auth-Token", "X-Security-Token")


@attrs.define
class Answers:
    """Records the answers of one test: `answer(question, value)`.

    Attributes:
        item: The test.
        studio: The client that asks.
        heard: The responses so far.
        ids: What is to be shortened.
    """

    item: pytest.Item
    studio: MetaStudio
    heard: list[httpx.Response]
    ids: set[str]

    def __call__(self, question: str, value: object) -> None:
        """Record the answer to a question, without secrets."""
        self.item.user_properties.append((ANSWER, [question, redacted(str(value), self._secrets(), self.ids)]))

    def _secrets(self) -> set[str]:
        found = {value for name, value in ENVIRONMENT.items() if _SECRET_NAME.search(name)}
        with suppress(HuaweiCloudError):  # the source of a key fails
            if pair := key_pair(self.studio):
                found |= {pair.ak, str(pair.sk), str(pair.security_token or "")}
        for headers in (response.request.headers for response in self.heard):
            found.update(re.findall(r"(?:Access|Signature)=([^,\s]+)", headers.get("Authorization", "")))
            found.update(headers[name] for name in _SECRET_HEADERS if name in headers)
        return found


def key_pair(studio: MetaStudio) -> Credentials | None:
    """Return the key pair that a client signs with; None where it does not sign."""
    if not isinstance(studio._auth, AkSkAuth):
        return None
    source = studio._auth._credentials
    return source() if callable(source) else source
