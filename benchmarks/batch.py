"""Assess a thousand recordings over TLS on loopback: a batch of this package and a plain loop over the official SDK.

Both use a sandbox in this process, without limiting the rate to a quota. Run it with `scripts/benchmark batch`.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import trustme
from starlette.types import ASGIApp

from metastudio_sandbox import Sandbox, recordings, server

RECORDINGS: Final = 1000
PAGE: Final = Path(__file__).parents[1] / "docs" / "batch.md"
BEGIN: Final = "<!-- measured: written by scripts/benchmark batch -->"

BATCH: Final = """
import asyncio, ssl
from metastudio import AsyncMetaStudio, Credentials
from metastudio_batch import assess_many

async def main():
    context = ssl.create_default_context(cafile=ca)
    options = {"credentials": Credentials(ak, sk), "verify": context}
    async with AsyncMetaStudio(endpoint=url, project_id=project_id, **options) as studio:
        for pace in studio.short_jobs.paces.values():
            pace.rate, pace._interval = 10_000.0, 0.0001
        return [each.error async for each in assess_many(studio, folder, journal=journal)]

errors = asyncio.run(main())
"""

SDK: Final = """
import io, zipfile
from pathlib import Path
import requests
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkmetastudio.v1 import (
    CommitShortJobRequest, CreateShortJobReq, CreateShortJobRequest, MetaStudioClient, ShowShortJobRequest,
)

config = HttpConfig.get_default_config()
config.ssl_ca_cert = ca
builder = MetaStudioClient.new_builder().with_credentials(BasicCredentials(ak, sk, project_id))
client = builder.with_endpoint(url).with_http_config(config).build()
errors = []
with requests.Session() as session:
    for path in sorted(Path(folder).iterdir()):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.write(path, path.name)
        body = CreateShortJobReq(job_type="VOICE_ASSESS", language="CN")
        created = client.create_short_job(CreateShortJobRequest(body=body))
        headers = {"Content-Type": "application/zip"}
        response = session.put(created.data_uploading_url, data=packed.getvalue(), headers=headers, verify=ca)
        response.raise_for_status()
        client.commit_short_job(CommitShortJobRequest(job_id=created.job_id))
        job = client.show_short_job(ShowShortJobRequest(job_id=created.job_id))
        errors.append(None if job.state == "SUCCEED" else job.state)
"""

MEASURED: Final = """
import json, sys, time
started = time.perf_counter()
folder, journal, url, ca, project_id, ak, sk = sys.argv[1:]
{program}
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
assert errors == [None] * {count}, errors
print(json.dumps([time.perf_counter() - started, time.process_time(), peak]))
"""


def main() -> None:
    """Run both, and write their times and memory to the page."""
    with TemporaryDirectory() as name:
        place, authority = Path(name), trustme.CA()
        authority.cert_pem.write_to_path(place / "ca.pem")
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(place / "server.pem")
        (place / "recordings").mkdir()
        for number in range(RECORDINGS):
            content = recordings.wav(seconds=10, seed=number % 8) + number.to_bytes(2, "big")
            (place / "recordings" / f"{number:04}.wav").write_bytes(content)
        rows = [(who, *_measured(program, place)) for who, program in (("metastudio", BATCH), ("official SDK", SDK))]
    lines = ["| who | wall clock | CPU time | peak of memory |", "| --- | ---: | ---: | ---: |"]
    lines += [f"| {who} | {wall:.1f} s | {cpu:.1f} s | {peak:.0f} MB |" for who, wall, cpu, peak in rows]
    table = "\n".join(lines)
    print(table)
    before = PAGE.read_text("utf-8").partition(BEGIN)[0]
    PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n", "utf-8")


def _measured(program: str, place: Path) -> tuple[float, float, float]:
    with _serving(place / "server.pem") as sandbox:
        keys = sandbox.credentials.ak, str(sandbox.credentials.sk)
        url, certificates = _over_tls(sandbox.url), place / "ca.pem"
        given = [place / "recordings", place / "a.journal", url, certificates, sandbox.project_id]
        code = MEASURED.format(program=program, count=RECORDINGS)
        command = [sys.executable, "-c", code, *map(str, given), *keys]
        wall, cpu, peak = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return wall, cpu, peak


@contextmanager
def _serving(certificate: Path) -> Iterator[Sandbox]:
    """Run a sandbox whose two servers use TLS."""

    def with_tls(app: ASGIApp) -> server.Server:
        made = plain(app)
        made.config.ssl_certfile = made.config.ssl_keyfile = str(certificate)
        return made

    plain, server.Server = server.Server, with_tls  # type: ignore[misc,assignment]  # the sandbox itself has no TLS
    try:
        with Sandbox(duration=timedelta(), validate=False) as sandbox:
            upload_url = sandbox._service.upload_url
            sandbox._service.upload_url = lambda job_id, host: _over_tls(upload_url(job_id, host))
            yield sandbox
    finally:
        server.Server = plain  # type: ignore[misc]  # restored


def _over_tls(url: str) -> str:
    return url.replace("http:", "https:")


if __name__ == "__main__":
    main()
