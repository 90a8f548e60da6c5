"""Assess a recording and print its verdict: `python examples/script.py ann.wav`."""

import sys

from metastudio import MetaStudio, metrics

with MetaStudio() as studio:  # configured by the environment
    job = studio.short_jobs.assess(sys.argv[1], language="CN", timeout=600)

print(job.job_id, job.state)
for name, metric in metrics(job).items():
    print(f"{name:12} {metric.actual} (expected {metric.expected}), status {metric.status}")
