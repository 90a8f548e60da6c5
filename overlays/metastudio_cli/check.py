"""A line of the report of `metastudio doctor`, and the settings that the checks complete."""

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
        verdict: The result: `wrong` is an error, `note` is not.
        found: What was found, without secrets.
        advice: What to do.
    """

    name: str
    verdict: Verdict
    found: str
    advice: str = ""


@attrs.define
class Settings:
    """The options of the command, completed with what the checks have found so far."""

    region: str | None
    endpoint: str | None
    project_id: str | None
    credentials: str | None
    identity: CredentialsSource | httpx.Auth | None = None
    used: Place | None = None
