"""The service part of the sandbox: routes, validation and responses, all derived from the contract."""

import json
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

import attrs
from openapi_core import OpenAPI
from openapi_core.contrib.starlette import StarletteOpenAPIRequest, StarletteOpenAPIResponse
from openapi_core.exceptions import OpenAPIError
from openapi_core.validation.request.exceptions import SecurityValidationError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from metastudio import Credentials

from . import contract as contracts
from . import gateway, hosts
from .exchanges import Exchange, exchange
from .faults import Fault
from .gateway import LOCK, LOCKED, MAX_REFUSALS, Refusal
from .jobs import Jobs
from .plan import Plan

_NO_SUCH_API = Refusal(404, "APIGW.0101", "The API does not exist or has not been published in the environment")
_INVALID = Refusal(400, "MSS.00000003", "Invalid parameter")  # inferred: the error for an unknown job
_CHANGING = frozenset({"CreateShortJob", "CommitShortJob"})


@attrs.define
class Service:
    """The state of the service: one project, its keys, its jobs and the last thousand requests."""

    contract: dict[str, Any]
    project_id: str
    keys: dict[str, Credentials]
    token: str
    now: Callable[[], datetime]
    validate: bool
    jobs: Jobs
    limits: dict[str, int]
    upload_url: Callable[[str, str], str]
    faults: Plan[Fault] = attrs.field(factory=Plan)
    exchanges: deque[Exchange] = attrs.field(factory=lambda: deque(maxlen=1000))
    _refusals: int = 0
    _locked_until: datetime | None = None
    _openapi: OpenAPI = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        # Any address of the sandbox is valid as the contract's server.
        self._openapi = OpenAPI.from_dict(self.contract | {"servers": [{"url": "/"}]})

    def app(self) -> Starlette:
        """Return the ASGI application: the operations of the contract, and the gateway's error for other requests."""
        operations = (
            (path, method, operation)
            for path, item in self.contract["paths"].items()
            for method, operation in item.items()
            if method in {"get", "post", "put", "delete"}
        )
        routes = [Route(path, self._endpoint(operation), methods=[method]) for path, method, operation in operations]
        for route in routes:
            (route.methods or set()).discard("HEAD")  # Starlette adds it
        handlers = {404: self._no_such_api, 405: self._no_such_api}  # doc: also for a wrong method
        app = Starlette(routes=routes, exception_handlers=handlers)
        app.router.redirect_slashes = False
        return app

    def _endpoint(self, operation: dict[str, Any]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            received = self.now()
            try:
                body = await gateway.read(request)
            except ClientDisconnect:
                return Response()
            if body is None:
                return self._refused_early(gateway.TOO_LARGE, request)
            canonical = gateway.canonical_request(request, body)
            seen = exchange(request, received, canonical)
            self.exchanges.append(seen)  # before the response, which a fault may replace or cut off

            def respond(clock_offset: timedelta = timedelta(), *, executed: bool = True) -> Response:
                now = self.now() + clock_offset
                refusal = self._not_authenticated(request, canonical, now) or self._invalid(request, body)
                if refusal:
                    response = _refused(refusal, now)
                elif executed or operation["operationId"] not in _CHANGING:
                    response = self._served(operation, request, body, now)
                else:
                    response = _stamped(Response(), now, uuid.uuid4().hex)  # the fault replaces it
                seen.status = response.status_code
                return response

            fault = self.faults.take()
            response = await fault(request, respond) if fault else respond()
            seen.status = response.status_code
            return response

        return endpoint

    def _not_authenticated(self, request: Request, canonical: str | None, now: datetime) -> Refusal | None:
        with_our_key = gateway.access_key(request) in self.keys
        if with_our_key and self._locked_until is not None and self.now() < self._locked_until:
            return LOCKED
        refusal = gateway.refusal(request, canonical, now, self.keys, self.token)
        if with_our_key:  # only a known key can be locked
            self._refusals = self._refusals + 1 if refusal else 0
        if self._refusals > MAX_REFUSALS:
            self._refusals, self._locked_until = 0, self.now() + LOCK
        return refusal

    def _invalid(self, request: Request, body: bytes) -> Refusal | None:
        malformed = _malformed(body)
        try:
            if self.validate:
                self._openapi.validate_request(StarletteOpenAPIRequest(request, body))
        except SecurityValidationError:  # inferred: the message
            return Refusal(401, "APIGW.0301", "Incorrect IAM authentication information: a mandatory header is missing")
        except OpenAPIError as error:
            return malformed or Refusal(400, "MSS.00000003", f"Invalid parameter: {error}")
        if malformed:
            return malformed
        if request.path_params.get("project_id") != self.project_id:
            return Refusal(400, "MSS.00010009", "urlTenantId is not equal tokenTenantId")
        return None

    def _served(self, operation: dict[str, Any], request: Request, body: bytes, now: datetime) -> Response:
        result = self._result(operation, request, body)
        if isinstance(result, Refusal):
            return _refused(result, now)
        status, content = contracts.success(operation)
        response = JSONResponse(result, status) if content else Response(status_code=status)
        _stamped(response, now, uuid.uuid4().hex)
        if self.validate:
            self._openapi.validate_response(StarletteOpenAPIRequest(request), StarletteOpenAPIResponse(response))
        return response

    def _result(self, operation: dict[str, Any], request: Request, body: bytes) -> Any:
        """Execute the operation; return the content of its response, or a `Refusal`."""
        job_id = request.path_params.get("job_id", "")
        match operation["operationId"]:
            case "ShowShortJob":
                job = self.jobs.shown(job_id)
                return _INVALID if job is None else job
            case "CreateShortJob":
                return self._created(request, json.loads(body or b"{}"))
            case "CommitShortJob":
                return None if self.jobs.commit(job_id) else _INVALID
            case "ShowTenantDurationCfg":
                return self.limits
        _, content = contracts.success(operation)
        return contracts.sample(self.contract, content["schema"]) if content else None

    def _created(self, request: Request, wanted: Any) -> dict[str, str]:
        app_user_id = request.headers.get("X-App-UserId")
        job_id = self.jobs.create(wanted if isinstance(wanted, dict) else {}, app_user_id)
        return {"job_id": job_id, "data_uploading_url": self.upload_url(job_id, hosts.name(request.headers["Host"]))}

    async def _no_such_api(self, request: Request, _: Exception) -> Response:
        return self._refused_early(_NO_SUCH_API, request)

    def _refused_early(self, refusal: Refusal, request: Request) -> Response:
        """Refuse a request before its authentication."""
        self.exchanges.append(exchange(request, self.now(), None, refusal.status))
        return _refused(refusal, self.now())


def _malformed(body: bytes) -> Refusal | None:
    try:
        json.loads(body.decode() or "{}")
    except ValueError as error:  # neither UTF-8 nor JSON
        return Refusal(400, "MSS.10000002", f"JSON exception: {error}")
    return None


def _refused(refusal: Refusal, now: datetime) -> Response:
    request_id = uuid.uuid4().hex
    content = {"error_code": refusal.code, "error_msg": refusal.message, "request_id": request_id}
    return _stamped(JSONResponse(content, refusal.status), now, request_id)


def _stamped(response: Response, now: datetime, request_id: str) -> Response:
    response.headers["X-Request-Id"] = request_id
    response.headers["Date"] = format_datetime(now, usegmt=True)
    return response
