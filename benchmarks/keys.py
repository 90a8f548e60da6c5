"""What every contestant is given. The keys are invented."""

from typing import Final

AK: Final = "BENCHMARKACCESSKEY00"
SK: Final = "BenchmarkSecretKey000000000000000000000A"
PROJECT_ID: Final = "3f0924078d1b471c884a5383d4dec9fa"
JOB_ID: Final = "26f06524-4f75-4b3a-a853-b649a21aaf66"
PATH: Final = f"/v1/{PROJECT_ID}/voice-training-manage/user/short-jobs/{JOB_ID}"
