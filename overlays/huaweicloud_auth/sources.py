"""Find credentials, project ID and region that are not passed as arguments.

The official SDK's environment variables come first, then Terraform's, then the official SDK's profile file. A key pair
is never combined from two places.
"""

import configparser
import os
from collections.abc import Iterable, Iterator
from logging import WARNING
from pathlib import Path
from typing import NamedTuple

import attrs
import httpx

from .credentials import Credentials, CredentialsSource, Secret
from .errors import ConfigurationError
from .log import log, write

_SHOWN = {"ak", "project_id", "region"}  # in the profile file; every other setting is treated as a secret
_SDK = ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN")
_TERRAFORM = ("HW_ACCESS_KEY", "HW_SECRET_KEY", "HW_SECURITY_TOKEN")


@attrs.frozen
class Place:
    """A place where settings may be found, and its settings.

    Attributes:
        name: The name of the place, for messages.
        credentials: A key pair, a callable that returns one, or an auth.
        project_id: The project ID.
        region: The region.
        note: Why it has no credentials.
        is_sdks: Whether it is the official SDK's, so that the project ID and region of its profile file apply too.
    """

    name: str
    credentials: CredentialsSource | httpx.Auth | None = None
    project_id: str | None = None
    region: str | None = None
    note: str = "not set"
    is_sdks: bool = True


def places() -> Iterator[Place]:
    """Yield the places in order. Each is read only when it is reached.

    Raises:
        ConfigurationError: A place has only half of a key pair, or the profile file cannot be read.
    """
    yield Place("HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK", environment_credentials())
    yield terraform()
    file = profile()
    project_id, region = (file.settings.get(name) or None for name in ("project_id", "region"))
    yield Place(str(file.path), file.credentials(), project_id, region, file.note)


def find(several: Iterable[Place]) -> Place:
    """Return the first place that has credentials.

    Raises:
        ConfigurationError: No place has credentials. Errors of `places` are raised too.
    """
    looked_at = []
    for place in several:
        if place.credentials is not None:
            return place
        looked_at.append(f"{place.name} ({place.note})")
    raise ConfigurationError(f"no credentials found. Looked at: {'; '.join(looked_at)}")


def variable(name: str) -> str | None:
    """Return an environment variable, or None if it is unset or empty."""
    return os.environ.get(name) or None


def secret_variable(name: str) -> Secret | None:
    """Return an environment variable as a `Secret`, or None if it is unset or empty."""
    return Secret(os.environ[name]) if variable(name) else None


def environment_credentials() -> Credentials | None:
    """Return the key pair of `HUAWEICLOUD_SDK_AK`, `_SK` and `_SECURITY_TOKEN`.

    Raises:
        ConfigurationError: Only half of the pair is set.
    """
    return _of_environment(*_SDK)


def terraform() -> Place:
    """Return the key pair and the region that Terraform's provider reads from the environment.

    Raises:
        ConfigurationError: Only half of the pair is set.
    """
    found = _of_environment(*_TERRAFORM)
    region = variable("HW_REGION_NAME") if found else None
    return Place("HW_ACCESS_KEY and HW_SECRET_KEY", found, region=region, is_sdks=False)


def _of_environment(ak: str, sk: str, token: str) -> Credentials | None:
    return _pair(variable(ak), secret_variable(sk), secret_variable(token), ak, sk)


class Profile(NamedTuple):
    """Section `[basic]` of the profile file; `note` says why it has no key pair."""

    path: Path
    settings: dict[str, str]
    note: str = "no ak and no sk in section [basic]"

    def credentials(self) -> Credentials | None:
        """Return the key pair `ak`, `sk` and `security_token`.

        Raises:
            ConfigurationError: Only half of the pair is set.
        """
        ak, sk, token = (self.settings.get(name) for name in ("ak", "sk", "security_token"))
        if sk and os.name == "posix" and self.path.stat().st_mode & 0o077:
            write(log, WARNING, "%s holds a secret key and others can access it: chmod 600", self.path)
        return _pair(ak, sk, token, f"{self.path}: ak", "sk")


def profile() -> Profile:
    """Read the profile file: `HUAWEICLOUD_SDK_CREDENTIALS_FILE`, or `~/.huaweicloud/credentials`.

    Raises:
        ConfigurationError: It cannot be read or parsed, or the environment names a file that does not exist.
    """
    named = variable("HUAWEICLOUD_SDK_CREDENTIALS_FILE")
    # Not Path.expanduser: it raises where there is no home directory.
    path = Path(os.path.expanduser(named or "~/.huaweicloud/credentials"))  # noqa: PTH111
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        if not named:
            return Profile(path, {}, "no such file")
        failure = ConfigurationError(f"HUAWEICLOUD_SDK_CREDENTIALS_FILE names {path}, which does not exist")
    except OSError as error:
        failure = ConfigurationError(f"cannot read {path}: {error.strerror}")
    except (configparser.Error, UnicodeDecodeError):  # their messages quote lines of the file
        failure = ConfigurationError(
            f"{path} is not a profile file: it should have a section [basic] with ak=… and sk=…"
        )
    else:
        if not parser.has_section("basic"):
            return Profile(path, {}, "no section [basic]")
        settings = parser.items("basic")
        return Profile(path, {name: value if name in _SHOWN else Secret(value) for name, value in settings})
    raise failure


def _pair(ak: str | None, sk: str | None, token: str | None, ak_name: str, sk_name: str) -> Credentials | None:
    if bool(ak) != bool(sk):
        there, missing = (ak_name, sk_name) if ak else (sk_name, ak_name)
        raise ConfigurationError(f"{there} is set but {missing} is not: set both, or neither")
    return Credentials(ak, sk, token or None) if ak and sk else None
