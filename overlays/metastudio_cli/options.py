"""The options that several commands share, and the client that they describe."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, TypeAlias

import typer

from metastudio import MetaStudio

from . import output

Region: TypeAlias = Annotated[str | None, typer.Option(help="Region; or METASTUDIO_REGION.")]
Endpoint: TypeAlias = Annotated[str | None, typer.Option(help="Endpoint instead of a region; or METASTUDIO_ENDPOINT.")]
Project: TypeAlias = Annotated[str | None, typer.Option(help="Project ID; or HUAWEICLOUD_SDK_PROJECT_ID.")]
Json: TypeAlias = Annotated[
    bool, typer.Option("--json", help="One JSON object a line, as when the output is not a terminal.")
]
User: TypeAlias = Annotated[str | None, typer.Option(help="ID of your own user, sent as X-App-UserId.")]
Language: TypeAlias = Annotated[str, typer.Option(metavar="CN|EN", help="Language of the recording.")]
JobId: TypeAlias = Annotated[str, typer.Argument(metavar="JOB_ID", help="The short job.")]
JobIds: TypeAlias = Annotated[list[str], typer.Argument(metavar="JOB_ID...", help="The short jobs.")]


@contextmanager
def connected(
    region: str | None, endpoint: str | None, project_id: str | None, app_user_id: str | None = None
) -> Iterator[MetaStudio]:
    """Return a client; end the command with the exit code of what is raised."""
    client = partial(MetaStudio, region=region, endpoint=endpoint, project_id=project_id, app_user_id=app_user_id)
    with output.exit_codes(), client() as studio:
        yield studio
