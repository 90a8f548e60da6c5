"""A small stand-in, on 127.0.0.1, of Huawei Cloud's IAM and STS and of the metadata service of an ECS."""

import itertools
import json
import re
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Final
from urllib.parse import parse_qs, parse_qsl

import attrs
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer

ACCOUNT_ID: Final = "fedcba9876543210fedcba9876543210"
PROJECT_ID: Final = "0123456789abcdef0123456789abcdef"
_AUTHORIZATION: Final = re.compile(r"SDK-HMAC-SHA256 Access=([^,]+), SignedHeaders=([^,]+), Signature=[0-9a-f]{64}")
_CALLER: Final = {"account_id": ACCOUNT_ID, "principal_urn": f"sts::{ACCOUNT_ID}:the-user", "principal_id": "the-id"}
_ECS: Final = {"project_id": PROJECT_ID, "availability_zone": "cn-north-4a"}
_INCORRECT: Final = "Incorrect IAM authentication information: verify aksk signature fail"
_WRONG_SIGNATURE: Final = {"error_code": "APIGW.0301", "error_msg": _INCORRECT, "request_id": "request-1"}
_NO_SUCH_API: Final = {"error_code": "APIGW.0101", "error_msg": "The API does not exist", "request_id": "request-1"}
_REFUSALS: Final = (AssertionError, LookupError, TypeError, ValueError)  # what a request that is wrong raises here
_Reply = tuple[int, bytes, dict[str, str]]  # status, body, headers


@attrs.frozen
class Seen:
    """One request; the names of its headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class IdentityServer(ThreadingHTTPServer):
    """Answers as IAM, STS and the metadata service do, by what its attributes say; keeps the requests."""

    daemon_threads = True
    request_queue_size = 512  # of connections at once: with the usual 5, a burst has to send its SYN packets again

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.seen: list[Seen] = []
        # Each server has a key of its own: the package remembers, for the whole process, which keys were refused.
        self.keys = {secrets.token_hex(10).upper(): secrets.token_hex(20)}
        self.tokens: dict[str, str] = {}
        self.passwords = {("account", "user"): "the-password-of-the-user"}
        self.projects = {"cn-north-4": [PROJECT_ID]}
        self.agency: str | None = "agency"
        self.life = timedelta(hours=24)
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.metadata_tokens, self.metadata_token_status = True, 404
        self.valid_metadata_tokens: set[str] = set()  # a test may clear it: then they have to be renewed
        self.failures: deque[tuple[int, bytes]] = deque()
        self.gate = threading.Event()
        self.gate.set()
        self.asked = threading.Semaphore(0)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._endpoints: dict[tuple[str, str], tuple[bool, Callable[[Seen], _Reply]]] = {  # is it signed, what answers
            ("GET", "/v3/projects"): (True, self._list_projects),
            ("POST", "/v3/auth/tokens"): (False, self._token_by_password),
            ("POST", "/v3.0/OS-CREDENTIAL/securitytokens"): (True, self._assume_role),
            ("GET", "/v5/caller-identity"): (True, lambda _: _reply(200, _CALLER)),
            ("PUT", "/meta-data/latest/api/token"): (False, self._metadata_token),
            ("GET", "/openstack/latest/securitykey"): (False, self._security_key),
            ("GET", "/openstack/latest/meta_data.json"): (False, lambda _: _reply(200, _ECS)),
        }

    def count(self, part: str) -> int:
        """Return how many of the requests have `part` in their target."""
        return sum(part in request.target for request in self.seen)

    def reply(self, request: Seen) -> _Reply:
        """Record `request`, wait for the gate, and return the answer that is right by then."""
        with self._lock:
            self.seen.append(request)
            failure = self.failures.popleft() if self.failures else None
        self.asked.release()
        self.gate.wait()
        if failure is not None:
            return *failure, {"Content-Type": "application/json"}
        endpoint = (request.method, request.target.partition("?")[0])
        if endpoint not in self._endpoints:
            return _reply(404, _NO_SUCH_API)
        must_be_signed, respond = self._endpoints[endpoint]
        try:
            if must_be_signed:
                self._check_signature(request)
        except _REFUSALS:
            return _reply(401, _WRONG_SIGNATURE)
        try:
            return respond(request)
        except _REFUSALS as error:
            return _iam_error(400, "Bad Request", f"The request is malformed: {error!r}")

    def _check_signature(self, request: Seen) -> None:
        claim = _AUTHORIZATION.fullmatch(request.headers["authorization"])
        assert claim is not None, "this is no signature"
        key, names = claim[1], claim[2].split(";")
        assert request.headers.get("x-security-token") == self.tokens.get(key), "this is not the key's token"
        assert {"host", "x-sdk-date"} | ({"x-security-token"} & request.headers.keys()) <= set(names), "unsigned"
        # The official signer is the judge. It signs every header that it is given: those that the client signed.
        headers = {name: request.headers[name] for name in names}
        path, _, query = request.target.partition("?")
        again = SdkRequest(request.method, resource_path=path, header_params=headers, body=request.body)
        again.query_params = parse_qsl(query, keep_blank_values=True)
        Signer(SimpleNamespace(ak=key, sk=self.keys[key])).sign(again)
        assert again.header_params["Authorization"] == request.headers["authorization"], "the signature is wrong"

    def _list_projects(self, request: Seen) -> _Reply:
        (region,) = parse_qs(request.target.partition("?")[2])["name"]
        projects = self.projects.get(region, [])
        return _reply(200, {"projects": [{"id": each, "name": region} for each in projects], "links": {}})

    def _token_by_password(self, request: Seen) -> _Reply:
        auth = json.loads(request.body)["auth"]
        user, region = auth["identity"]["password"]["user"], auth["scope"]["project"]["name"]
        assert auth["identity"]["methods"] == ["password"], "methods"
        if user["password"] != self.passwords.get((user["domain"]["name"], user["name"]), object()):
            return _iam_error(401, "Unauthorized", "The username or password is wrong.")
        if not self.projects.get(region):
            return _iam_error(404, "Not Found", f"Could not find project: {region}.")
        project = {"id": self.projects[region][0], "name": region}
        body = {"token": {"expires_at": self._after(self.life), "project": project}}
        return _reply(201, body, {"X-Subject-Token": f"iam-token-{next(self._numbers)}-{secrets.token_hex(8)}"})

    def _assume_role(self, request: Seen) -> _Reply:
        identity = json.loads(request.body)["auth"]["identity"]
        role = identity["assume_role"]
        assert identity["methods"] == ["assume_role"], "methods"
        assert role.get("domain_name") or role.get("domain_id"), "domain_name or domain_id"
        assert 900 <= role["duration_seconds"] <= 86400, "duration_seconds"
        if self.agency is None or role["agency_name"] != self.agency:
            return _iam_error(404, "Not Found", f"Could not find agency: {role['agency_name']}.")
        return self._new_credential(201, timedelta(seconds=role["duration_seconds"]))

    def _metadata_token(self, request: Seen) -> _Reply:
        if not self.metadata_tokens:
            return _reply(self.metadata_token_status, "There are no tokens here")
        assert 1 <= int(request.headers["x-metadata-token-ttl-seconds"]) <= 21600, "the token's life"
        token = f"metadata-token-{secrets.token_hex(8)}"
        self.valid_metadata_tokens.add(token)
        return _reply(200, token)

    def _security_key(self, request: Seen) -> _Reply:
        if self.metadata_tokens and request.headers.get("x-metadata-token") not in self.valid_metadata_tokens:
            return _reply(401, "Unauthorized")
        if self.agency is None:
            return _reply(401, "Please configure Cloud Service Agency first")
        return self._new_credential(200, self.life)

    def _new_credential(self, status: int, life: timedelta) -> _Reply:
        access, secret, token = secrets.token_hex(10).upper(), secrets.token_hex(20), secrets.token_urlsafe(60)
        self.keys[access], self.tokens[access] = secret, token
        credential = {"access": access, "secret": secret, "securitytoken": token, "expires_at": self._after(life)}
        return _reply(status, {"credential": credential})

    def _after(self, life: timedelta) -> str:
        return (self.now() + life).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class _Handler(BaseHTTPRequestHandler):
    server: IdentityServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: the second would wait for the client's ACK

    def handle(self) -> None:
        with suppress(ConnectionError):  # the client may go away
            super().handle()

    def _respond(self) -> None:
        headers = {name.lower(): ", ".join(self.headers.get_all(name, [])) for name in self.headers}
        body = self.rfile.read(int(headers.get("content-length", "0")))
        status, content, to_send = self.server.reply(Seen(self.command, self.path, headers, body))
        self.send_response(status)
        for name, value in {**to_send, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _respond  # noqa: N815  # the names that http.server looks for

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(self.server.now().timestamp())

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002  # nothing is logged


def _reply(status: int, body: object, headers: dict[str, str] | None = None) -> _Reply:
    if isinstance(body, str):
        return status, body.encode(), {"Content-Type": "text/plain"}
    return status, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})}


def _iam_error(status: int, title: str, message: str) -> _Reply:
    return _reply(status, {"error": {"code": status, "message": message, "title": title}})


@contextmanager
def identity_server() -> Iterator[IdentityServer]:
    with IdentityServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.gate.set()
            server.shutdown()
            thread.join()
