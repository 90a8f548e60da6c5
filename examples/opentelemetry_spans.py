"""Trace assessments with OpenTelemetry: `python examples/opentelemetry_spans.py ann.wav` prints the spans."""

import sys

from opentelemetry import trace
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from metastudio import AssessmentInterrupted, MetaStudio, ShortJob, WaitTimeout

JOB_ID, STATE = "metastudio.job_id", "metastudio.state"
tracer = trace.get_tracer("metastudio")


def assess(studio: MetaStudio, recording: str) -> ShortJob:
    """Assess a recording in a span of its own, with the job's ID and state; an error is recorded in it."""
    with tracer.start_as_current_span("assess recording") as span:

        def moved(job: ShortJob) -> None:
            span.set_attributes({JOB_ID: str(job.job_id), STATE: str(job.state)})
            span.add_event(str(job.state))

        try:
            return studio.short_jobs.assess(recording, timeout=600, on_update=moved)
        except (AssessmentInterrupted, WaitTimeout) as error:
            span.set_attribute(JOB_ID, error.job_id)  # there may have been no response about the job
            raise


if __name__ == "__main__":
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
    trace.set_tracer_provider(provider)
    HTTPXClientInstrumentor().instrument()  # each request becomes a span inside that of its assessment
    with MetaStudio() as studio:
        assess(studio, sys.argv[1])
