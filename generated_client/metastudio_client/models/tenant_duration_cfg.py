# Generated from openapi.yaml by ./generate.sh. Do not edit: the next run overwrites every change.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET

T = TypeVar("T", bound="TenantDurationCfg")


@_attrs_define
class TenantDurationCfg:
    """Minimum and maximum duration of a tenant's recordings, in seconds. The SDK has more fields.

    Attributes:
        short_assess_min (int | None): Minimum duration of a recording to assess.
        short_assess_max (int | None): Maximum duration of a recording to assess.
    """

    short_assess_min: int | None = UNSET
    short_assess_max: int | None = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        short_assess_min = self.short_assess_min

        short_assess_max = self.short_assess_max

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if short_assess_min is not UNSET:
            field_dict["short_assess_min"] = short_assess_min
        if short_assess_max is not UNSET:
            field_dict["short_assess_max"] = short_assess_max

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        short_assess_min = d.pop("short_assess_min", UNSET)

        short_assess_max = d.pop("short_assess_max", UNSET)

        tenant_duration_cfg = cls(
            short_assess_min=short_assess_min,
            short_assess_max=short_assess_max,
        )

        tenant_duration_cfg.additional_properties = d
        return tenant_duration_cfg

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
