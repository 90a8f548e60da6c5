"""A recording in the journal, and how far it is."""

import json
import os
from enum import StrEnum
from typing import Any, Final

import attrs


class Stage(StrEnum):
    """How far a recording is. The last three are ends."""

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
        path: Its name: relative to the argument with which it was found.
        sha256: Of its content; empty where it cannot be used.
        language: CN or EN.
        app_user_id: Sent as `X-App-UserId`, or None.
        file: Where it was last.
        columns: What else a manifest says of it.
        stage: How far it is.
        job_id: Its last job, or None.
        job: The last response of a job that has ended, or None.
        error: What went wrong last, or None.
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


#: As an SQL statement selects them for `row_of`.
COLUMNS: Final = ", ".join(field.name for field in attrs.fields(Row))


def row_of(selected: tuple[Any, ...]) -> Row:
    """Return the row that was selected."""
    found = dict(zip(COLUMNS.split(", "), selected, strict=True))
    job = None if found["job"] is None else json.loads(found["job"])
    parsed = {"columns": json.loads(found["columns"]), "stage": Stage(found["stage"]), "job": job}
    parsed["file"] = os.fsdecode(found["file"])
    return Row(**found | parsed | {"app_user_id": found["app_user_id"] or None})
