# Generated from openapi.yaml by ./generate.sh. Do not edit: the next run overwrites every change.
from enum import StrEnum


class Language(StrEnum):
    CN = "CN"
    EN = "EN"

    def __str__(self) -> str:
        return str(self.value)
