"""Access keys, and where they come from."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import attrs

from . import checks
from .errors import ConfigurationError
from .log import log

_SHOWN = {"ak", "project_id"}  # in the profile file; every other setting is taken for a secret


class Secret(str):
    """Text that does not show itself in `repr`, and so not in tracebacks with locals, containers and logs of either."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


@attrs.frozen
class Credentials:
    """An access key pair, permanent or temporary. Its `repr` shows the AK only.

    Args:
        ak: The access key ID.
        sk: The secret access key.
        security_token: The token that belongs to a temporary pair.

    Raises:
        ConfigurationError: One of them is empty or not printable ASCII.
    """

    ak: str
    sk: str
    security_token: str | None = None

    def __init__(self, ak: str, sk: str, security_token: str | None = None) -> None:
        # Wrapped and stored before anything can raise: a traceback that prints locals then shows `self`, and no secret.
        sk = Secret(sk) if isinstance(sk, str) else sk
        security_token = Secret(security_token) if isinstance(security_token, str) else security_token
        self.__attrs_init__(ak, sk, security_token)  # type: ignore[attr-defined]  # attrs makes it; mypy does not know
        checks.header_value("the AK", ak)
        checks.header_value("the SK", sk)
        if security_token is not None:
            checks.header_value("the security token", security_token)


CredentialsSource: TypeAlias = Credentials | Callable[[], Credentials]


def variable(name: str) -> str | None:
    """Return an environment variable; one that is empty counts as not set."""
    return os.environ.get(name) or None


def secret_variable(name: str) -> Secret | None:
    """Return an environment variable that holds a secret."""
    return Secret(os.environ[name]) if os.environ.get(name) else None


def from_environment() -> Credentials | None:
    """Return the key pair of `HUAWEICLOUD_SDK_AK`, `_SK` and `_SECURITY_TOKEN`, the official SDK's names.

    Raises:
        ConfigurationError: Only one half of the pair is set.
    """
    sk, token = secret_variable("HUAWEICLOUD_SDK_SK"), secret_variable("HUAWEICLOUD_SDK_SECURITY_TOKEN")
    return _pair(variable("HUAWEICLOUD_SDK_AK"), sk, token, "HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK")


class Profile(NamedTuple):
    """Section `[basic]` of the profile file, as the official SDK reads it; `note` says why it holds nothing."""

    path: Path
    settings: Mapping[str, str] = MappingProxyType({})
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

    def project_id(self) -> str | None:
        """Return `project_id`."""
        return self.settings.get("project_id") or None


def profile() -> Profile:
    """Read the profile file: `HUAWEICLOUD_SDK_CREDENTIALS_FILE`, or `~/.huaweicloud/credentials`.

    Raises:
        ConfigurationError: It cannot be read, or is no such file; or the environment names one that is not there.
    """
    import configparser  # not before it is needed: most programs have other credentials

    named = variable("HUAWEICLOUD_SDK_CREDENTIALS_FILE")
    # Not Path.expanduser: it raises where there is no home directory.
    path = Path(os.path.expanduser(named or "~/.huaweicloud/credentials"))  # noqa: PTH111
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        if not named:
            return Profile(path, note="no such file")
        failure = ConfigurationError(f"HUAWEICLOUD_SDK_CREDENTIALS_FILE names {path}, which is not there")
    except OSError as error:
        failure = ConfigurationError(f"cannot read {path}: {error.strerror}")
    except (configparser.Error, UnicodeDecodeError):  # their messages show lines of the file
        failure = ConfigurationError(
            f"{path} is not a profile file: it should have a section [basic] with ak=… and sk=…"
        )
    else:
        if not parser.has_section("basic"):
            return Profile(path, note="no section [basic]")
        settings = parser.items("basic")
        return Profile(path, {name: value if name in _SHOWN else Secret(value) for name, value in settings})
    raise failure


def _pair(ak: str | None, sk: str | None, token: str | None, ak_name: str, sk_name: str) -> Credentials | None:
    if not ak and not sk:
        return None
    if not ak or not sk:
        there, missing = (ak_name, sk_name) if ak else (sk_name, ak_name)
        raise ConfigurationError(f"{there} is set but {missing} is not: set both, or neither")
    return Credentials(ak, sk, token or None)
