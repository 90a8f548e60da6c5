"""The metrics of an assessment, as the contract defines them."""

from typing import Final

import attrs

from metastudio_client.models import AssessProperty, AssessResult, ShortJob

#: The names of all metrics in the contract, in its order.
METRICS: Final = tuple(field.name for field in attrs.fields(AssessResult) if "AssessProperty" in str(field.type))


def metrics(job: ShortJob) -> dict[str, AssessProperty]:
    """Return the metrics of a job by name, in the contract's order. Empty if the job has no assessment.

    A metric that is added to the contract is included; one that is missing in the response is not.
    """
    if job.assess_result is None:
        return {}
    fields = {name: getattr(job.assess_result, name) for name in METRICS}
    return {name: value for name, value in fields.items() if isinstance(value, AssessProperty)}
