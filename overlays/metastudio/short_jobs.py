"""Short jobs: the only caller of generated endpoints. An operation is one short method here, once for each loop."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypedDict

from metastudio_client import Client
from metastudio_client.api.short_jobs import show_short_job
from metastudio_client.models import ShortJob
from metastudio_client.types import UNSET, Unset

from . import checks
from .errors import MetaStudioError
from .transport import last_response, validation_error


class _Arguments(TypedDict):
    project_id: str
    job_id: str
    client: Client
    x_app_user_id: str | Unset


class _Resource:
    """What both loops share: the checked arguments of a call, and the reading of its answer."""

    def __init__(self, client: Client, project_id: str, app_user_id: str | None) -> None:
        self._client = client
        self._project_id = project_id
        self._app_user_id = UNSET if app_user_id is None else app_user_id

    def _arguments(self, job_id: str) -> _Arguments:
        return {
            "project_id": self._project_id,
            "job_id": checks.path_id("job_id", job_id),
            "client": self._client,
            "x_app_user_id": self._app_user_id,
        }


class ShortJobs(_Resource):
    """The short jobs of one project; `studio.short_jobs`."""

    def show(self, job_id: str) -> ShortJob:
        """Return a short job's details.

        Raises:
            ConfigurationError: `job_id` is malformed; nothing was sent.
            APIConnectionError: No answer came back.
            APIStatusError: The gateway or the service said no; the subclass tells how.
            APIResponseValidationError: The answer is not a short job.
        """
        arguments = self._arguments(job_id)
        with _reading():
            return _short_job(show_short_job.sync(**arguments))


class AsyncShortJobs(_Resource):
    """The short jobs of one project; `studio.short_jobs`."""

    async def show(self, job_id: str) -> ShortJob:
        """Return a short job's details; raises what `ShortJobs.show` raises."""
        arguments = self._arguments(job_id)
        with _reading():
            return _short_job(await show_short_job.asyncio(**arguments))


@contextmanager
def _reading() -> Iterator[None]:
    """Turn what generated code raises on a wrong shape inside the answer into the validation error."""
    last_response.set(None)
    try:
        yield
    except MetaStudioError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        response = last_response.get()
        if response is None:  # nothing was read yet: not the answer's fault
            raise
        raise validation_error(response, "the answer does not have the shape of the contract") from error


def _short_job(answer: object) -> ShortJob:
    if not isinstance(answer, ShortJob):  # a 2xx that the contract does not describe
        raise TypeError(f"{type(answer).__name__} is not a ShortJob")
    return answer
