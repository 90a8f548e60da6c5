"""`metastudio whoami`."""

import httpx

from huaweicloud_auth import sources
from huaweicloud_auth.projects import caller_identity
from metastudio import ConfigurationError, configuration
from metastudio_cli import output, render
from metastudio_cli.options import Shared


def whoami(shared: Shared) -> None:
    """Show which account and user a key pair belongs to, as STS has it."""
    with output.exit_codes():
        place = configuration.find_place(shared.credentials, None)
        identity, used = configuration.find_identity(shared.credentials, None, place)
        region = shared.region or sources.variable("METASTUDIO_REGION")
        region = region or configuration.find_endpoint(None, shared.endpoint, place, used)[1]
        if isinstance(identity, httpx.Auth):
            raise ConfigurationError("STS tells who a key pair belongs to; this is a token")
        found = caller_identity(identity, region or "")
    with shared.results() as results:
        results.add(found, render.fields(found))
