"""Answers in words: of a response, its form rather than its values."""

import platform
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from huaweicloud_auth import Credentials
from huaweicloud_auth.gateway import error_fields, http_date
from metastudio import (
    APIResponseValidationError,
    APIStatusError,
    AssessProperty,
    MetaStudio,
    MetaStudioError,
    UploadError,
    __version__,
)
from metastudio.upload_target import expires

_KINDS: Final = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
_QUOTA: Final = re.compile(r"(?i)rate-?limit|quota|throttl|retry-after|remaining")
_UUID: Final = re.compile(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FIRST_YEAR: Final = 2015  # the service is younger
_ENDPOINT: Final = re.compile(r"https://metastudio\.([a-z0-9-]+)\.myhuaweicloud\.com")


def run_of(studio: MetaStudio) -> str:
    """Return what was run, where, and on which day."""
    endpoint = _ENDPOINT.fullmatch(studio.endpoint)
    region = endpoint[1] if endpoint else "another endpoint"
    return f"metastudio {__version__}, Python {platform.python_version()}, {region}, {datetime.now(UTC):%Y-%m-%d}"


def authentication(auth: httpx.Auth, request: httpx.Request) -> str:
    """Return by what a request was authenticated."""
    return f"{type(auth).__name__}{', temporary key pair' if 'X-Security-Token' in request.headers else ''}"


def is_usual(pair: Credentials) -> bool:
    """Tell whether a key pair has the form that all samples have."""
    return bool(re.fullmatch("[A-Z0-9]{20}", pair.ak)) and len(pair.sk) == 40


def refused(ask: Callable[..., object], *args: Any, **options: Any) -> MetaStudioError | None:
    """Ask, and return the error that the response became, or None if it is a good one."""
    try:
        ask(*args, **options)
    except (APIStatusError, APIResponseValidationError) as error:
        return error
    return None


def told(error: MetaStudioError | None) -> str:
    """Return what a response says, by its error and whole: a secret that was cut in two would not be found."""
    if error is None:
        return "accepted"
    name = type(error).__name__
    if isinstance(error, APIStatusError):
        message = error.error_msg or error.body[:5000].decode("utf-8", "replace") or "no message"
        return f"{error.status_code} {error.error_code or '(no code)'}: {message} ({name})"
    if isinstance(error, UploadError):
        return f"{error.status_code} {error.code or '(no code)'}: {error.message or 'no message'} ({name})"
    if isinstance(error, APIResponseValidationError):
        return f"{error.status_code}, but {error.reason} ({name})"
    return f"{name}: {error}"


def compared(error: MetaStudioError | None, heard: list[httpx.Response]) -> str:
    """Return what the last response says, and whether it is the same as the one before."""
    if error is not None:
        return told(error)
    return "accepted, the same response" if heard[-1].content == heard[-2].content else "accepted, another response"


def shape(value: object) -> str:
    """Return the names and types in JSON; names of one type stand together."""
    if isinstance(value, list):
        return f"[{shape(value[0])}, …]" if value else "[]"
    if not isinstance(value, dict):
        return _KINDS[type(value)]
    names: dict[str, list[str]] = {}
    for name, each in value.items():
        names.setdefault(shape(each), []).append(name)
    return "{" + "; ".join(f"{', '.join(those)}: {kind}" for kind, those in names.items()) + "}"


def form(text: str | None) -> str:
    """Return what an ID looks like, without itself."""
    if not text:
        return "none"
    if _UUID.fullmatch(text):
        return "a UUID"
    return f"{len(text)} {'hexadecimal digits' if re.fullmatch('[0-9a-fA-F]+', text) else 'characters'}"


def request_ids(response: httpx.Response) -> str:
    """Return where a response has its request ID, and what that looks like."""
    places = {"header": response.headers.get("X-Request-Id"), "body": error_fields(response.content).get("request_id")}
    return ", ".join(f"{place}: {form(value)}" for place, value in places.items())


def clock(response: httpx.Response) -> str:
    """Return whether a response tells the time, and how far that is from this machine's."""
    date = http_date(response.headers, "Date")
    return "none" if date is None else f"there, {_apart(date)}"


def header_names(response: httpx.Response) -> str:
    """Return the names of all headers."""
    return ", ".join(sorted(set(response.headers)))


def quota_headers(response: httpx.Response) -> str:
    """Return the headers that say how much may be asked, with their values."""
    found = [f"{name}: {value}" for name, value in response.headers.items() if _QUOTA.search(name)]
    return ", ".join(found) or "none"


def unit(time: int | None) -> str:
    """Return the unit of a time by its size."""
    if time is None:
        return "missing"
    first, last = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp(), (datetime.now(UTC) + timedelta(2)).timestamp()
    for name, number in (("seconds", 1), ("milliseconds", 1000)):
        if first * number <= time <= last * number:
            return f"{name} since the epoch"
    return f"unknown ({len(str(time))} digits)"


def unit_and_age(time: int | None) -> str:
    """Return the unit of a time that was taken just now, and how far that is from this machine's clock."""
    name = unit(time)
    if time is None or "since the epoch" not in name:
        return name
    return f"{name}, {_apart(datetime.fromtimestamp(time / (1000 if name.startswith('milli') else 1), UTC))}"


def _apart(date: datetime) -> str:
    return f"{round((date - datetime.now(UTC)).total_seconds())} s from this machine's clock"


def url_form(url: str) -> str:
    """Return what an upload URL looks like: the host without its first label, which names a bucket, and no values."""
    parsed = httpx.URL(url)
    host = f"….{parsed.host.split('.', 1)[1]}" if parsed.host.count(".") > 3 else parsed.host
    return f"{parsed.scheme}, host {host}, query: {', '.join(parsed.params)}"


def life(url: str) -> str:
    """Return how long an upload URL serves, as far as it says so."""
    end = expires(url)
    if end is None:
        return "unknown: the URL does not say"
    seconds = (end - datetime.now(UTC)).total_seconds()
    return f"{seconds:.0f} s ({seconds / 3600:.1f} h)"


def measured(metric: AssessProperty) -> str:
    """Return one metric of a verdict."""
    values = {name: getattr(metric, name) for name in ("expected", "actual", "status", "suggestion_en")}
    return ", ".join(f"{name} {value!r}" for name, value in values.items())
