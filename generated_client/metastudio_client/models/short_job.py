# Generated from openapi.yaml by ./generate.sh. Do not edit: the next run overwrites every change.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.job_state import JobState
from ..models.job_type import JobType
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.assess_result import AssessResult


T = TypeVar("T", bound="ShortJob")


@_attrs_define
class ShortJob:
    """A short task.

    Attributes:
        job_type (JobType | str | None): Short task type. A type that is not in the list is a plain string.
        job_id (str | None): Task ID.
        state (JobState | str | None): Task status. The list grows; a state that is not in it is a plain string.
        job_failed_code (str | None): An error code is displayed when a task fails.
        job_failed_reason (str | None): The failure cause is displayed when a task fails.
        create_time (int | None): Time when a task was created. No unit is stated; the range fits seconds since the
            epoch (inferred).
        lastupdate_time (int | None): The time when the task status was updated. Unit: see create_time.
        assess_result (AssessResult | None): Audio quality assessment result.
    """

    job_type: JobType | str | None = UNSET
    job_id: str | None = UNSET
    state: JobState | str | None = UNSET
    job_failed_code: str | None = UNSET
    job_failed_reason: str | None = UNSET
    create_time: int | None = UNSET
    lastupdate_time: int | None = UNSET
    assess_result: AssessResult | None = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        job_type: str | None
        if isinstance(self.job_type, Unset):
            job_type = UNSET
        elif isinstance(self.job_type, JobType):
            job_type = self.job_type.value
        else:
            job_type = self.job_type

        job_id = self.job_id

        state: str | None
        if isinstance(self.state, Unset):
            state = UNSET
        elif isinstance(self.state, JobState):
            state = self.state.value
        else:
            state = self.state

        job_failed_code = self.job_failed_code

        job_failed_reason = self.job_failed_reason

        create_time = self.create_time

        lastupdate_time = self.lastupdate_time

        assess_result: dict[str, Any] | None = UNSET
        if not isinstance(self.assess_result, Unset):
            assess_result = self.assess_result.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if job_type is not UNSET:
            field_dict["job_type"] = job_type
        if job_id is not UNSET:
            field_dict["job_id"] = job_id
        if state is not UNSET:
            field_dict["state"] = state
        if job_failed_code is not UNSET:
            field_dict["job_failed_code"] = job_failed_code
        if job_failed_reason is not UNSET:
            field_dict["job_failed_reason"] = job_failed_reason
        if create_time is not UNSET:
            field_dict["create_time"] = create_time
        if lastupdate_time is not UNSET:
            field_dict["lastupdate_time"] = lastupdate_time
        if assess_result is not UNSET:
            field_dict["assess_result"] = assess_result

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.assess_result import AssessResult

        d = dict(src_dict)

        def _parse_job_type(data: object) -> JobType | str | None:
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                job_type_type_0 = JobType(data)

                return job_type_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(JobType | str | None, data)

        job_type = _parse_job_type(d.pop("job_type", UNSET))

        job_id = d.pop("job_id", UNSET)

        def _parse_state(data: object) -> JobState | str | None:
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                state_type_0 = JobState(data)

                return state_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(JobState | str | None, data)

        state = _parse_state(d.pop("state", UNSET))

        job_failed_code = d.pop("job_failed_code", UNSET)

        job_failed_reason = d.pop("job_failed_reason", UNSET)

        create_time = d.pop("create_time", UNSET)

        lastupdate_time = d.pop("lastupdate_time", UNSET)

        _assess_result = d.pop("assess_result", UNSET)
        assess_result: AssessResult | None
        if isinstance(_assess_result, Unset):
            assess_result = UNSET
        else:
            assess_result = AssessResult.from_dict(_assess_result)

        short_job = cls(
            job_type=job_type,
            job_id=job_id,
            state=state,
            job_failed_code=job_failed_code,
            job_failed_reason=job_failed_reason,
            create_time=create_time,
            lastupdate_time=lastupdate_time,
            assess_result=assess_result,
        )

        short_job.additional_properties = d
        return short_job

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
