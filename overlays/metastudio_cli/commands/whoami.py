"""`metastudio whoami`."""

import httpx

from huaweicloud_auth import sources
from huaweicloud_auth.projects import caller_identity
from metastudio import ConfigurationError, configuration
from metastudio_cli import output, render
from metastudio_cli.options import Shared


def whoami(shared: Shared) -> None:
    """Show the account and the user that a key pair belongs to, according to STS."""
    with output.exit_codes():
        place = configuration.find_place(shared.credentials, None)
        identity, used = configuration.find_identity(shared.credentials, None, place)
        region = shared.region or sources.variable("METASTUDIO_REGION")
        region = region or configuration.find_endpoint(None, shared.endpoint, place, used)[1]
        if isinstance(identity, httpx.Auth):
            raise ConfigurationError("STS identifies only key pairs, but the credentials are a token: set a key pair")
        found = caller_identity(identity, region or "")
    with shared.results() as results:
        results.add(found, render.fields(found))
