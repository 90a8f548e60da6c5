# Generated from openapi.yaml by ./generate.sh. Never edit it: the next run takes every edit away.
from enum import StrEnum


class Language(StrEnum):
    CN = "CN"
    EN = "EN"

    def __str__(self) -> str:
        return str(self.value)
