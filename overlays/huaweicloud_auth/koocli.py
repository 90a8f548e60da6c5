"""Read the profiles of KooCLI (`hcloud`), which are used only if named."""

import json
import os
from pathlib import Path
from typing import Any, Final

from .credentials import Credentials, Secret
from .errors import ConfigurationError, printable
from .sources import Place

_PATH: Final = "~/.hcloud/config.json"
_ENCRYPTED: Final = (
    "its keys are encrypted, and only hcloud can read them. `hcloud configure set --cli-auth-encrypt=false` stores "
    "them in clear text, which Terraform needs too; then anyone who can read the file has the keys"
)


def profile(name: str | None = None) -> Place:
    """Return the region, the project ID and, unless encrypted, the keys of a profile, by default the current one.

    Raises:
        ConfigurationError: The profile does not exist, or the file cannot be read.
    """
    path = Path(os.path.expanduser(_PATH))  # noqa: PTH111  # Path.expanduser raises where there is no home directory
    config = _read(path)
    name = name or config.get("current")
    found = next((each for each in config.get("profiles") or [] if each.get("name") == name), None)
    if found is None:
        names = ", ".join(str(each.get("name")) for each in config.get("profiles") or [])
        raise ConfigurationError(f"{path} has no profile {printable(repr(name), 60)}; it has: {printable(names, 200)}")
    place = f"profile {printable(str(name), 60)} of {path}"
    is_encrypted = "true" in {str(each.get("authEncrypt")).lower() for each in (config, found)}
    credentials = None if is_encrypted else _credentials(place, found)
    note = _ENCRYPTED if is_encrypted else "no accessKeyId and no secretAccessKey"
    project_id, region = found.get("projectId") or None, found.get("region") or None
    if not isinstance(project_id, str | None) or not isinstance(region, str | None):
        raise ConfigurationError(f"{place}: projectId and region must be strings")
    return Place(place, credentials, project_id, region, note, is_sdks=False)


def _credentials(place: str, found: dict[str, Any]) -> Credentials | None:
    ak, sk = found.get("accessKeyId"), found.get("secretAccessKey")
    if bool(ak) != bool(sk):
        raise ConfigurationError(f"{place} has only one of accessKeyId and secretAccessKey: set both, or neither")
    return Credentials(str(ak), str(sk), found.get("securityToken") or None) if ak else None


def _read(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text("utf-8-sig"), object_hook=_masked)
        if not isinstance(config, dict) or not all(isinstance(each, dict) for each in config.get("profiles") or []):
            raise ValueError
    except OSError as error:
        failure = ConfigurationError(f"cannot read KooCLI's profiles, {path}: {error.strerror}")
    except (ValueError, TypeError, RecursionError):  # their messages quote lines of the file
        failure = ConfigurationError(f"{path} is not a configuration file of KooCLI")
    else:
        return config
    raise failure


def _masked(fields: dict[str, Any]) -> dict[str, Any]:
    """Wrap values that may be secret."""
    return {
        name: Secret(value) if isinstance(value, str) and name.startswith(("secret", "security")) else value
        for name, value in fields.items()
    }
