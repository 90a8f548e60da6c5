"""Microseconds for each signature."""

import gc
import hashlib
import hmac
import time
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from functools import partial
from statistics import median
from typing import Any

import httpx
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer

from huaweicloud_auth.request import sign
from metastudio import AkSkAuth, Credentials, MetaStudio

from . import server
from .keys import AK, JOB_ID, PATH, PROJECT_ID, SK

HOST = "metastudio.cn-north-4.myhuaweicloud.com"
_KEYS = Credentials(AK, SK)
_SIGNER = Signer(_KEYS)
_THEIR_AGENT = "huaweicloud-usdk-python/3.0; os/Linux##1_SMP_PREEMPT#x86_64 python/3.11.7 impl/CPython; app/0123456789"


def _official_request() -> SdkRequest:
    """What the SDK has on a request when it comes to sign it; it signs all of that."""
    headers = {"Content-Type": "application/json", "User-Agent": _THEIR_AGENT, "X-Project-Id": PROJECT_ID}
    return SdkRequest("GET", schema="https", host=HOST, resource_path=PATH, query_params=[], header_params=headers)


class _Unsigned(AkSkAuth):
    """Signs nothing and keeps the request, as it is when it comes to be signed."""

    request: httpx.Request

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        self.request = request
        yield request


def _unsigned() -> httpx.Request:
    """The same: what our client has on a request when it comes to sign it."""
    auth = _Unsigned(_KEYS)
    answers = httpx.MockTransport(lambda _: httpx.Response(200, content=server.BODY))
    with MetaStudio(endpoint=f"https://{HOST}", project_id=PROJECT_ID, auth=auth, transport=answers) as studio:
        studio.short_jobs.show(JOB_ID)
    return auth.request


def _copy(given: httpx.Request) -> httpx.Request:
    kind = type(given)
    request = kind(given.method, given.url, headers=given.headers, stream=given.stream, extensions=given.extensions)
    request.url = given.url
    return request


def _sign(request: httpx.Request) -> None:
    sign(request, _KEYS, PROJECT_ID, datetime.now(UTC))


def _hashes_only(data: bytes) -> None:
    hashlib.sha256(b"").hexdigest()
    canonical = hashlib.sha256(data).hexdigest()
    hmac.new(SK.encode(), canonical.encode(), hashlib.sha256).hexdigest()


def measure(rounds: int, signatures: int) -> dict[str, float]:
    """Measure each signer on requests that were made before; in each round, all of them take turns."""
    contestants: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
        "two SHA-256 and an HMAC": (lambda: b"x" * 300, _hashes_only),
        "metastudio": (partial(_copy, _unsigned()), _sign),
        "official signer": (_official_request, _SIGNER.sign),
    }
    results: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, (make, signed) in contestants.items():
            requests = [make() for _ in range(signatures)]
            gc.collect()
            started = time.process_time()
            for request in requests:
                signed(request)
            results[name].append((time.process_time() - started) / signatures * 1e6)
    return {name: median(each) for name, each in results.items()}
