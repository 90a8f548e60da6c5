# Generated from openapi.yaml by ./generate.sh. Never edit it: the next run takes every edit away.
from enum import StrEnum


class JobType(StrEnum):
    VOICE_ASSESS = "VOICE_ASSESS"

    def __str__(self) -> str:
        return str(self.value)
