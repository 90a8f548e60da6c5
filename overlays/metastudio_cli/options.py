"""The options that several commands share, and the client that they describe."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, TypeAlias

import typer

from metastudio import ConfigurationError, MetaStudio
from metastudio.configuration import find_endpoint
from metastudio.pace import paces

from . import output

Region: TypeAlias = Annotated[str | None, typer.Option(help="Region; or METASTUDIO_REGION.")]
Endpoint: TypeAlias = Annotated[str | None, typer.Option(help="Endpoint instead of a region; or METASTUDIO_ENDPOINT.")]
Project: TypeAlias = Annotated[str | None, typer.Option(help="Project ID; or HUAWEICLOUD_SDK_PROJECT_ID.")]
Keys: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--credentials", metavar="NAME", help="ecs-agency, hcloud or hcloud:PROFILE; or METASTUDIO_CREDENTIALS."
    ),
]
Json: TypeAlias = Annotated[
    bool, typer.Option("--json", help="One JSON object a line, as when the output is not a terminal.")
]
User: TypeAlias = Annotated[str | None, typer.Option(help="ID of your own user, sent as X-App-UserId.")]
Language: TypeAlias = Annotated[str, typer.Option(metavar="CN|EN", help="Language of the recording.")]
Shard: TypeAlias = Annotated[
    str | None, typer.Option(metavar="K/N", help="The K-th of N parts of the recordings, with 1/N of the quota.")
]
JobId: TypeAlias = Annotated[str, typer.Argument(metavar="JOB_ID", help="The short job.")]
JobIds: TypeAlias = Annotated[list[str], typer.Argument(metavar="JOB_ID...", help="The short jobs.")]


@contextmanager
def connected(
    region: str | None,
    endpoint: str | None,
    project_id: str | None,
    credentials: str | None,
    app_user_id: str | None = None,
) -> Iterator[MetaStudio]:
    """Return a client; end the command with the exit code of what is raised."""
    client = partial(MetaStudio, region=region, endpoint=endpoint, project_id=project_id)
    with output.exit_codes(), client(credentials=credentials, app_user_id=app_user_id) as studio:
        yield studio


def sharding(shard: str | None) -> tuple[int, int]:
    """Return which shard, and of how many; without one, the first of one."""
    if shard is None:
        return 1, 1
    numbers = re.fullmatch("([0-9]{1,6})/([0-9]{1,6})", shard)
    number, of = map(int, numbers.groups()) if numbers else (0, 0)
    if not 1 <= number <= of:
        raise typer.BadParameter("--shard must look like 1/4: the first of four parts")
    return number, of


def quota(region: str | None, endpoint: str | None) -> float:
    """Return how many jobs a second may be created; where no region is given, the smaller quota."""
    try:
        base_url, _ = find_endpoint(region, endpoint)
    except ConfigurationError:
        if region is not None or endpoint is not None:
            raise
        base_url = ""
    return paces(base_url, 1.0)["create"].rate
