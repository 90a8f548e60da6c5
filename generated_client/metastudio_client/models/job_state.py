# Generated from openapi.yaml by ./generate.sh. Do not edit: the next run overwrites every change.
from enum import StrEnum


class JobState(StrEnum):
    ANNOTATING = "ANNOTATING"
    AUDITING = "AUDITING"
    AUDIT_FAILED = "AUDIT_FAILED"
    CREATING = "CREATING"
    FAILED = "FAILED"
    PROCESSING = "PROCESSING"
    RESULT_REVIEW = "RESULT_REVIEW"
    SPLITTING = "SPLITTING"
    SPLIT_FAILED = "SPLIT_FAILED"
    SUCCEED = "SUCCEED"
    SYSTEM_AUDITING = "SYSTEM_AUDITING"
    UPLOADING = "UPLOADING"
    USER_RESULT_REVIEW = "USER_RESULT_REVIEW"
    USER_REVIEW_REJECT = "USER_REVIEW_REJECT"
    WAITING = "WAITING"
    WAITING_SPLIT = "WAITING_SPLIT"

    def __str__(self) -> str:
        return str(self.value)
