"""One line of the report of `metastudio doctor`, and what the checks pass on to those after them."""

from typing import Literal, TypeAlias

import attrs
import httpx

from huaweicloud_auth.credentials import CredentialsSource
from huaweicloud_auth.sources import Place

Verdict: TypeAlias = Literal["ok", "note", "wrong"]


@attrs.frozen
class Check:
    """One line of the report.

    Attributes:
        name: What was checked.
        verdict: What came out: `note` is no error, `wrong` is one.
        found: What was found; nothing secret.
        advice: What to do.
    """

    name: str
    verdict: Verdict
    found: str
    advice: str = ""


@attrs.define
class Asked:
    """The options of the command, and what was found out with them so far."""

    region: str | None
    endpoint: str | None
    project_id: str | None
    credentials: str | None
    identity: CredentialsSource | httpx.Auth | None = None
    used: Place | None = None
