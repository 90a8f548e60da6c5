"""`metastudio whoami`."""

import httpx

from huaweicloud_auth.projects import caller_identity
from metastudio import ConfigurationError, configuration
from metastudio_cli import output, render
from metastudio_cli.options import Shared


def whoami(shared: Shared) -> None:
    """Show which account and user a key pair belongs to, as STS has it."""
    with output.exit_codes():
        place = configuration.find_place(shared.credentials, None)
        _, region = configuration.find_endpoint(shared.region, shared.endpoint, place)
        identity = configuration.find_identity(shared.credentials, None, place)
        if isinstance(identity, httpx.Auth):
            raise ConfigurationError("STS tells who a key pair belongs to; this is a token")
        found = caller_identity(identity, region or "")
    with shared.results() as results:
        results.add(found, render.fields(found))
