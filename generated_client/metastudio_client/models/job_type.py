# Generated from openapi.yaml by ./generate.sh. Do not edit: the next run overwrites every change.
from enum import StrEnum


class JobType(StrEnum):
    VOICE_ASSESS = "VOICE_ASSESS"

    def __str__(self) -> str:
        return str(self.value)
