"""Where credentials and the project ID come from when nobody passes them: the environment, then the profile file.

Names and file are the official SDK's.
"""

import configparser
import os
from pathlib import Path
from typing import NamedTuple

from .credentials import Credentials, Secret
from .errors import ConfigurationError
from .log import log

_SHOWN = {"ak", "project_id"}  # in the profile file; every other setting is taken for a secret


def find_credentials(*others: str) -> Credentials:
    """Return the key pair of the environment, else that of the profile file.

    Args:
        others: Where else the caller has looked, for the error.

    Raises:
        ConfigurationError: There is none, or only one half of a pair; or the file cannot be read.
    """
    if (found := environment_credentials()) is not None:
        return found
    file = profile()
    if (found := file.credentials()) is not None:
        return found
    looked = [*others, "HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK (not set)", f"{file.path} ({file.note})"]
    raise ConfigurationError(f"no credentials. Looked at: {'; '.join(looked)}")


def find_project_id() -> str | None:
    """Return `HUAWEICLOUD_SDK_PROJECT_ID`, else `project_id` in the profile file, or None."""
    return variable("HUAWEICLOUD_SDK_PROJECT_ID") or profile().settings.get("project_id") or None


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
    sk, token = secret_variable("HUAWEICLOUD_SDK_SK"), secret_variable("HUAWEICLOUD_SDK_SECURITY_TOKEN")
    return _pair(variable("HUAWEICLOUD_SDK_AK"), sk, token, "HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK")


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
