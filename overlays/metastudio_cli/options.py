"""The options shared by every command that connects to the service."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import Annotated, Any, Final, TypeAlias, get_args, get_type_hints

import attrs
import typer

from metastudio import ConfigurationError, JobState, MetaStudio, __version__
from metastudio.configuration import Region, find_endpoint
from metastudio.pace import paces

from . import output, render
from .arguments import duration
from .results import Format, Results, default_format

_PANEL: Final = "Common options"


def _some(*values: str) -> Callable[[str], list[str]]:
    """Return a completion function that suggests `values`."""
    return lambda incomplete: [value for value in values if value.startswith(incomplete)]


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"metastudio {__version__}")
        raise typer.Exit


Version: TypeAlias = Annotated[
    bool, typer.Option("--version", "-V", is_eager=True, callback=_show_version, help="Show the version and exit.")
]
Verbose: TypeAlias = Annotated[bool, typer.Option("--verbose", "-v", help="Log every request and response.")]
States: TypeAlias = Annotated[list[str] | None, typer.Option(metavar="STATE", autocompletion=_some(*JobState))]
Language: TypeAlias = Annotated[
    str, typer.Option(metavar="CN|EN", autocompletion=_some("CN", "EN"), help="Language of the recording.")
]
Shard: TypeAlias = Annotated[
    str | None, typer.Option(metavar="K/N", help="Process only part K of N of the recordings, with 1/N of the quota.")
]
JobId: TypeAlias = Annotated[str, typer.Argument(metavar="JOB_ID", help="ID of the short job.")]
JobIds: TypeAlias = Annotated[
    list[str],
    typer.Argument(metavar="JOB_ID", help="IDs of short jobs; - reads them from standard input, @FILE from a file."),
]


@attrs.frozen
class Shared:
    """The values of the common options."""

    region: str | None
    project_id: str | None
    endpoint: str | None
    credentials: str | None
    app_user_id: str | None
    timeout: float | None
    form: Format

    @property
    def client(self) -> dict[str, str | None]:
        """The arguments for a client."""
        names = ("region", "project_id", "endpoint", "credentials", "app_user_id")
        return {name: getattr(self, name) for name in names}

    @property
    def is_for_programs(self) -> bool:
        """Whether the output is for programs rather than people."""
        return self.form is not Format.TABLE

    def results(self) -> Results:
        """Return a writer of results in the chosen format."""
        return Results(self.form)

    @contextmanager
    def connected(self) -> Iterator[MetaStudio]:
        """Yield a client; exit with the code of an error that is raised."""
        made = partial(MetaStudio, region=self.region, endpoint=self.endpoint, project_id=self.project_id)
        made = partial(made, credentials=self.credentials, app_user_id=self.app_user_id)
        with output.exit_codes(), made(total_timeout=self.timeout or 120.0) as studio:
            yield studio

    def quota(self) -> float:
        """Return how many jobs may be created per second; the smaller quota if no region is given."""
        try:
            base_url, _ = find_endpoint(self.region, self.endpoint)
        except ConfigurationError:
            if self.region is not None or self.endpoint is not None:
                raise
            base_url = ""
        return paces(base_url, 1.0)["create"].rate


def _parameters(
    region: Annotated[
        str | None,
        typer.Option(
            autocompletion=_some(*get_args(Region)),
            rich_help_panel=_PANEL,
            help="Region of the service; default: METASTUDIO_REGION.",
        ),
    ] = None,
    project_id: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_PANEL, help="Project ID; default: HUAWEICLOUD_SDK_PROJECT_ID, or else looked up."
        ),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(rich_help_panel=_PANEL, help="Endpoint to use instead of a region; default: METASTUDIO_ENDPOINT."),
    ] = None,
    credentials: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=_some("ecs-agency", "hcloud"),
            rich_help_panel=_PANEL,
            help="Credentials to use: ecs-agency, hcloud or hcloud:PROFILE; default: METASTUDIO_CREDENTIALS.",
        ),
    ] = None,
    app_user_id: Annotated[
        str | None, typer.Option(rich_help_panel=_PANEL, help="ID of your own user, sent as X-App-UserId.")
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(metavar="DURATION", rich_help_panel=_PANEL, help="Time limit, such as 90s, 10m or 2h."),
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option(
            "--output",
            "-o",
            rich_help_panel=_PANEL,
            help="Output format; default: table on a terminal, else JSON, one object per line.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", rich_help_panel=_PANEL, help="Same as --output json.")] = False,
    lang: Annotated[
        str | None,
        typer.Option(
            metavar="zh|en",
            autocompletion=_some("zh", "en"),
            rich_help_panel=_PANEL,
            help="Language of suggestions; default: the locale's.",
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", rich_help_panel=_PANEL, help="Print only results and errors.")
    ] = False,
    no_color: Annotated[
        bool, typer.Option("--no-color", rich_help_panel=_PANEL, help="Print without colours; same as NO_COLOR=1.")
    ] = False,
    verbose: Verbose = False,
    version: Version = False,  # noqa: ARG001  # its callback ends the command
) -> Shared:
    output.set_up(quiet=quiet, no_color=no_color, verbose=verbose)
    if lang is not None:
        render.use_language(lang)
    chosen = Format.JSON if as_json else form or default_format()
    seconds = None if timeout is None else duration(timeout)
    return Shared(region, project_id, endpoint, credentials, app_user_id, seconds, chosen)


def with_shared(command: Callable[..., None]) -> Callable[..., None]:
    """Add the common options to a command, which gets them as its argument `shared`."""
    common, own = inspect.signature(_parameters, eval_str=True), inspect.signature(command, eval_str=True)
    parameters = [*(each for each in own.parameters.values() if each.name != "shared"), *common.parameters.values()]

    @wraps(command)
    def run(**arguments: Any) -> None:
        shared = _parameters(**{name: arguments.pop(name) for name in common.parameters})
        command(**arguments, shared=shared)

    keyword_only = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
    run.__signature__ = own.replace(parameters=keyword_only)  # type: ignore[attr-defined]  # typer reads it
    hints = get_type_hints(command, include_extras=True) | get_type_hints(_parameters, include_extras=True)
    run.__annotations__ = {each.name: hints[each.name] for each in parameters}
    return run
