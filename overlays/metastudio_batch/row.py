"""A row of the journal: a recording and its stage."""

import json
import os
from enum import StrEnum
from typing import Any, Final

import attrs


class Stage(StrEnum):
    """The stage that a recording has reached. In the last three, a run is done with it."""

    NEW = "new"
    CREATED = "created"
    UPLOADED = "uploaded"
    COMMITTED = "committed"
    FINISHED = "finished"
    FAILED = "failed"
    UNUSABLE = "unusable"


@attrs.frozen
class Row:
    """A recording in the journal.

    Attributes:
        id: Its number.
        path: Its name: the path relative to the argument that it was found with.
        sha256: The hash of its content; empty if it cannot be used.
        language: CN or EN.
        app_user_id: Sent as `X-App-UserId`, or None.
        file: Where its file was found last.
        columns: Additional columns of the manifest.
        stage: The stage that it has reached.
        job_id: The ID of its last job, or None.
        job: The last response of a job that has ended, or None.
        error: The last error, or None.
        since: When the stage was reached, in seconds since the epoch.
    """

    id: int
    path: str
    sha256: str
    language: str
    app_user_id: str | None
    file: str
    columns: dict[str, Any]
    stage: Stage
    job_id: str | None
    job: dict[str, Any] | None
    error: str | None
    since: float


#: The columns to select for `row_of`.
COLUMNS: Final = ", ".join(field.name for field in attrs.fields(Row))


def row_of(selected: tuple[Any, ...]) -> Row:
    """Return the `Row` of a selected SQL row."""
    found = dict(zip(COLUMNS.split(", "), selected, strict=True))
    job = None if found["job"] is None else json.loads(found["job"])
    parsed = {"columns": json.loads(found["columns"]), "stage": Stage(found["stage"]), "job": job}
    parsed["file"] = os.fsdecode(found["file"])
    return Row(**found | parsed | {"app_user_id": found["app_user_id"] or None})
