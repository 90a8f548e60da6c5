"""The metrics of an assessment, whichever the contract has."""

import attrs

from metastudio_client.models import AssessProperty, ShortJob


def metrics(job: ShortJob) -> dict[str, AssessProperty]:
    """Return the metrics of a job by name, in the order of the contract; empty where it was not assessed.

    A metric that is added to the contract appears here; one that is missing in the response does not.
    """
    if job.assess_result is None:
        return {}
    fields = {field.name: getattr(job.assess_result, field.name) for field in attrs.fields(type(job.assess_result))}
    return {name: value for name, value in fields.items() if isinstance(value, AssessProperty)}
