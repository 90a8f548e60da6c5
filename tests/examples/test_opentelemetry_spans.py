"""The span of an assessment."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import opentelemetry_spans
from metastudio import AssessmentInterrupted, MetaStudio
from metastudio_sandbox import Sandbox, faults


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Keep the example's spans, without a provider for the whole process."""
    provider, exporter = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(opentelemetry_spans, "tracer", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


def the_one(spans: InMemorySpanExporter) -> tuple[ReadableSpan, dict[str, object]]:
    (span,) = spans.get_finished_spans()
    return span, dict(span.attributes or {})


def test_span_of_an_assessment(sandbox: Sandbox, recording: Path, spans: InMemorySpanExporter) -> None:
    with MetaStudio() as studio:
        job = opentelemetry_spans.assess(studio, str(recording))

    span, attributes = the_one(spans)
    assert attributes == {"metastudio.job_id": job.job_id, "metastudio.state": "SUCCEED"}
    assert ([event.name for event in span.events], span.status.is_ok) == (["SUCCEED"], True)


def test_span_of_interrupted_assessment(sandbox: Sandbox, recording: Path, spans: InMemorySpanExporter) -> None:
    """The job's ID is there, although there was no response about the job; the URL of its upload is not."""
    sandbox.inject_upload(faults.upload_error(403, "SignatureDoesNotMatch"))
    with MetaStudio() as studio, pytest.raises(AssessmentInterrupted) as caught:
        opentelemetry_spans.assess(studio, str(recording))

    span, attributes = the_one(spans)
    assert attributes == {"metastudio.job_id": caught.value.job_id}
    assert ([event.name for event in span.events], span.status.is_ok) == (["exception"], False)
    assert "Signature=" not in span.to_json()
