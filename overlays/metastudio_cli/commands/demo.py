"""`metastudio demo`."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from metastudio import MetaStudio
from metastudio_cli import output, render
from metastudio_cli.assessing import Assessment

from .sandbox import sandbox_class

if TYPE_CHECKING:
    from metastudio_sandbox import Sandbox

SNIPPET: Final = """\
from metastudio import MetaStudio, metrics
with MetaStudio() as studio:  # credentials and region come from the environment
    job = studio.short_jobs.assess("recording.wav", timeout=600)
for name, metric in metrics(job).items():
    print(name, metric.actual, metric.suggestion_en)"""


def demo() -> None:
    """Assess a 20 s recording against the sandbox and show the verdict and the requests."""
    with sandbox_class()() as service, output.exit_codes():
        _assess_against(service)
        output.out.print("\nThe five lines of Python that do the same:\n", style="bold")
        output.out.print(SNIPPET, markup=False, soft_wrap=True)
        output.out.print("\nThe request that created the job:\n", style="bold")
        signed = [each for each in service.exchanges if f"/{service.project_id}/" in each.target]  # no upload
        output.out.print(render.exchange(next(each for each in signed if each.method == "POST")))
        verified = sum(each.status < 300 and each.canonical_request is not None for each in signed)
        said = f"{verified} of {len(signed)} requests were signed, sent to {service.url} and verified."
        output.out.print(said, soft_wrap=True)


def _assess_against(service: "Sandbox") -> None:
    from metastudio_sandbox import recordings  # noqa: PLC0415  # as below

    shown = Assessment(output.out, as_json=False)
    studio = MetaStudio(endpoint=service.url, project_id=service.project_id, credentials=service.credentials)
    with TemporaryDirectory() as folder, studio, shown:
        recording = Path(folder) / "recording.wav"
        recording.write_bytes(recordings.wav(seconds=20))
        output.out.print(
            f"Assessing {recording.name} (20 s) against a sandbox of the service at {service.url}\n", soft_wrap=True
        )
        shown.verdict(
            studio.short_jobs.assess(recording, timeout=60, on_update=shown.update, on_progress=shown.progress)
        )
