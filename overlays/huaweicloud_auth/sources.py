"""Where credentials, project ID and region come from when nobody passes them.

The environment of the official SDK, then that of Terraform, then the profile file of the official SDK. Each place is
taken whole: a pair is never put together from two.
"""

import configparser
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import attrs
import httpx

from .credentials import Credentials, CredentialsSource, Secret
from .errors import ConfigurationError
from .log import log

_SHOWN = {"ak", "project_id", "region"}  # in the profile file; every other setting is taken for a secret
_SDK = ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN")
_TERRAFORM = ("HW_ACCESS_KEY", "HW_SECRET_KEY", "HW_SECURITY_TOKEN")


@attrs.frozen
class Place:
    """What one place has.

    Attributes:
        name: What the place is called.
        credentials: A key pair, what fetches one, or another auth.
        project_id: The project.
        region: The region.
        note: Why there is no key.
        is_sdks: Whether it is one of the official SDK's, which belong together.
    """

    name: str
    credentials: CredentialsSource | httpx.Auth | None = None
    project_id: str | None = None
    region: str | None = None
    note: str = "not set"
    is_sdks: bool = True


def places() -> Iterator[Place]:
    """Yield the places, in order. Each is read only when its turn comes.

    Raises:
        ConfigurationError: A place has only one half of a pair; or the profile file cannot be read.
    """
    yield Place("HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK", environment_credentials())
    yield terraform()
    file = profile()
    project_id, region = (file.settings.get(name) or None for name in ("project_id", "region"))
    yield Place(str(file.path), file.credentials(), project_id, region, file.note)


def find(several: Iterable[Place]) -> Place:
    """Return the first place that has credentials.

    Raises:
        ConfigurationError: There is none; or what `places` raises.
    """
    looked_at = []
    for place in several:
        if place.credentials is not None:
            return place
        looked_at.append(f"{place.name} ({place.note})")
    raise ConfigurationError(f"no credentials. Looked at: {'; '.join(looked_at)}")


def variable(name: str) -> str | None:
    """Return an environment variable; one that is empty counts as not set."""
    return os.environ.get(name) or None


def secret_variable(name: str) -> Secret | None:
    """Return an environment variable that holds a secret."""
    return Secret(os.environ[name]) if variable(name) else None


def environment_credentials() -> Credentials | None:
    """Return the key pair of `HUAWEICLOUD_SDK_AK`, `_SK` and `_SECURITY_TOKEN`.

    Raises:
        ConfigurationError: Only one half of the pair is set.
    """
    return _of_environment(*_SDK)


def terraform() -> Place:
    """Return the key pair and the region that Terraform's provider reads from the environment.

    Raises:
        ConfigurationError: Only one half of the pair is set.
    """
    found = _of_environment(*_TERRAFORM)
    region = variable("HW_REGION_NAME") if found else None
    return Place("HW_ACCESS_KEY and HW_SECRET_KEY", found, region=region, is_sdks=False)


def _of_environment(ak: str, sk: str, token: str) -> Credentials | None:
    return _pair(variable(ak), secret_variable(sk), secret_variable(token), ak, sk)


class Profile(NamedTuple):
    """Section `[basic]` of the profile file; `note` says why it holds nothing."""

    path: Path
    settings: dict[str, str]
    note: str = "no ak and no sk in section [basic]"

    def credentials(self) -> Credentials | None:
        """Return the key pair `ak`, `sk` and `security_token`.

        Raises:
            ConfigurationError: Only one half of the pair is there.
        """
        ak, sk, token = (self.settings.get(name) for name in ("ak", "sk", "security_token"))
        if sk and os.name == "posix" and self.path.stat().st_mode & 0o077:
            log.warning("%s holds a secret key and others can access it: chmod 600", self.path)
        return _pair(ak, sk, token, f"{self.path}: ak", "sk")


def profile() -> Profile:
    """Read the profile file: `HUAWEICLOUD_SDK_CREDENTIALS_FILE`, or `~/.huaweicloud/credentials`.

    Raises:
        ConfigurationError: It cannot be read, or is no such file; or the environment names one that is not there.
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
        failure = ConfigurationError(f"HUAWEICLOUD_SDK_CREDENTIALS_FILE names {path}, which is not there")
    except OSError as error:
        failure = ConfigurationError(f"cannot read {path}: {error.strerror}")
    except (configparser.Error, UnicodeDecodeError):  # their messages show lines of the file
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
