"""Environment variables that make clients use a sandbox."""

from typing import Final, get_args

from metastudio import Credentials
from metastudio.configuration import Region

#: Variables that would take precedence over those below.
UNWANTED: Final = (
    "METASTUDIO_REGION",
    "METASTUDIO_CREDENTIALS",
    "METASTUDIO_AUTH_TOKEN",
    "HUAWEICLOUD_SDK_SECURITY_TOKEN",
)


def variables(url: str, project_id: str, credentials: Credentials) -> dict[str, str]:
    """Return the variables for a client without arguments, and for one with a known region."""
    regions = (region.upper().replace("-", "_") for region in get_args(Region))
    return {
        "METASTUDIO_ENDPOINT": url,
        "HUAWEICLOUD_SDK_PROJECT_ID": project_id,
        "HUAWEICLOUD_SDK_AK": credentials.ak,
        "HUAWEICLOUD_SDK_SK": str(credentials.sk),
        **{f"HUAWEICLOUD_SDK_REGION_METASTUDIO_{region}": url for region in regions},
    }
