# Generated from openapi.yaml by ./generate.sh. Never edit it: the next run takes every edit away.
"""Types that generated modules share.

A field or parameter that is missing is `None`: generated code calls that value `UNSET` and its type `Unset`.
"""

from collections.abc import Mapping, MutableMapping
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, BinaryIO, Generic, TypeAlias, TypeVar

from attrs import define

UNSET = None
if TYPE_CHECKING:
    Unset: TypeAlias = None
else:
    Unset = type(None)  # generated code asks isinstance(value, Unset)

# What httpx takes as one file of a multipart body: name, content, and perhaps a content type and headers.
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
        """Return the file as httpx takes it."""
        return self.file_name, self.payload, self.mime_type


T = TypeVar("T")


@define
class Response(Generic[T]):
    """A response, as `*_detailed` functions return it."""

    status_code: HTTPStatus
    content: bytes
    headers: MutableMapping[str, str]
    parsed: T | None


__all__ = ["UNSET", "File", "FileTypes", "RequestFiles", "Response", "Unset"]
