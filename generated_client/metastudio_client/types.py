# Generated from openapi.yaml by ./generate.sh. Do not edit: the next run overwrites every change.
"""Types shared by the generated modules.

A missing field or parameter is `None`. Generated code calls this value `UNSET`, and its type `Unset`.
"""

from collections.abc import Mapping, MutableMapping
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, BinaryIO, Generic, TypeAlias, TypeVar

from attrs import define

UNSET = None
if TYPE_CHECKING:
    Unset: TypeAlias = None
else:
    Unset = type(None)  # generated code calls isinstance(value, Unset)

# One file of a multipart body, as httpx accepts it: name, content, and optionally a content type and headers.
FileContent = IO[bytes] | bytes | str
FileTypes = tuple[str | None, FileContent, str | None] | tuple[str | None, FileContent, str | None, Mapping[str, str]]
RequestFiles = list[tuple[str, FileTypes]]


@define
class File:
    """A file to upload."""

    payload: BinaryIO
    file_name: str | None = None
    mime_type: str | None = None

    def to_tuple(self) -> FileTypes:
        """Return the file in the form that httpx accepts."""
        return self.file_name, self.payload, self.mime_type


T = TypeVar("T")


@define
class Response(Generic[T]):
    """A response of a `*_detailed` function."""

    status_code: HTTPStatus
    content: bytes
    headers: MutableMapping[str, str]
    parsed: T | None


__all__ = ["UNSET", "File", "FileTypes", "RequestFiles", "Response", "Unset"]
