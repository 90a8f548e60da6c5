# Generated from openapi.yaml by ./generate.sh. Do not edit: the next run overwrites every change.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET

T = TypeVar("T", bound="CreatedShortJob")


@_attrs_define
class CreatedShortJob:
    """A short task that was created.

    Attributes:
        job_id (str | None): Task ID.
        data_uploading_url (str | None): URL to which the recording is uploaded, as a zip. The URL is a secret: anyone
            who has it can upload. How long it is valid, and whether it can be used more than once, is not documented.
    """

    job_id: str | None = UNSET
    data_uploading_url: str | None = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        job_id = self.job_id

        data_uploading_url = self.data_uploading_url

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if job_id is not UNSET:
            field_dict["job_id"] = job_id
        if data_uploading_url is not UNSET:
            field_dict["data_uploading_url"] = data_uploading_url

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        job_id = d.pop("job_id", UNSET)

        data_uploading_url = d.pop("data_uploading_url", UNSET)

        created_short_job = cls(
            job_id=job_id,
            data_uploading_url=data_uploading_url,
        )

        created_short_job.additional_properties = d
        return created_short_job

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
