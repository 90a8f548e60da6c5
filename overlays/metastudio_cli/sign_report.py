"""The output of `metastudio sign`: the stages of a signature, and a curl command that sends the signed request.

The output contains no secret: the curl command reads the secret key and the security token from the environment.
"""

import re
from shlex import quote

import httpx

from huaweicloud_auth import gateway
from huaweicloud_auth.signing import string_to_sign
from metastudio import ConfigurationError

_SIGNATURE = (
    "$(python3 -c 'import hashlib,hmac,os;"
    'print(hmac.new(os.environ["HUAWEICLOUD_SDK_SK"].encode(),{to_sign},hashlib.sha256).hexdigest())\')'
)


def request(method: str, url: str, header: list[str], data: str) -> httpx.Request:
    """Build the request that the arguments describe.

    Raises:
        ConfigurationError: An argument is malformed.
    """
    if not re.fullmatch("[A-Za-z]+", method) or not all(re.match("[^:]+:", each) for each in header):
        raise ConfigurationError("the method must be letters only, and each header must look like NAME:VALUE")
    headers = [(name, value.strip()) for name, _, value in (each.partition(":") for each in header)]
    try:
        made = httpx.Request(method.upper(), url, headers=headers, content=data or None)
    except (httpx.InvalidURL, UnicodeEncodeError) as error:
        raise ConfigurationError(f"cannot build a request from these arguments: {error}") from None
    if made.url.scheme not in {"http", "https"} or not made.url.host:
        raise ConfigurationError("URL must look like https://host/path")
    return made


def report(request: httpx.Request, canonical_request: str, refusal: str = "") -> str:
    """Return the canonical request, the string to sign and the curl command for a signed `request`.

    `refusal` is the error message of a rejected request: the report then begins with the first line in which the
    gateway's canonical request differs. Both are compared with the gateway's date.
    """
    canonical = re.sub(r"^(x-security-token:).*$", r"\1***", canonical_request, flags=re.MULTILINE)
    to_sign = string_to_sign(canonical_request, request.headers["X-Sdk-Date"])
    return "\n".join(
        (
            *_compared(canonical_request, refusal),
            "# canonical request",
            canonical,
            "",
            "# string to sign; its last line is the hash of the canonical request",
            to_sign,
            "",
            "# the same request: run it within 15 minutes; it reads the secret key from HUAWEICLOUD_SDK_SK",
            _curl(request, to_sign),
        )
    )


def _compared(ours: str, refusal: str) -> list[str]:
    if not refusal:
        return []
    theirs = gateway.canonical_request(refusal)
    if theirs is None:
        return ["# the error message contains no canonical request (canonicalRequest:...)", ""]
    if date := re.search(r"^x-sdk-date:.*$", theirs, flags=re.MULTILINE):
        ours = re.sub(r"^x-sdk-date:.*$", date[0], ours, flags=re.MULTILINE)
    difference = gateway.difference(theirs, ours) or "the canonical requests are identical: check the key pair"
    return [f"# {difference}", ""]


def _curl(request: httpx.Request, to_sign: str) -> str:
    method = "--head" if request.method == "HEAD" else f"--request {quote(request.method)}"
    parts = [': "${HUAWEICLOUD_SDK_SK:?}" &&', f"curl --globoff --path-as-is {method} {quote(str(request.url))}"]
    parts += [f"--header {_header(name, value, to_sign)}" for name, value in _headers(request)]
    if request.content:
        parts.append(f"--data-raw {quote(request.content.decode())}")
    return " \\\n  ".join(parts)


def _headers(request: httpx.Request) -> list[tuple[str, str]]:
    return [(name, value) for name, value in request.headers.items() if name != "content-length"]


def _header(name: str, value: str, to_sign: str) -> str:
    if name == "authorization":
        claim = value.rpartition("Signature=")[0]
        return f'"{name}: {claim}Signature={_SIGNATURE.format(to_sign=_python_bytes(to_sign))}"'
    if name == "x-security-token":
        return f'"{name}: $HUAWEICLOUD_SDK_SECURITY_TOKEN"'
    return quote(f"{name}: {value}" if value else f"{name};")  # a semicolon makes curl send an empty header


def _python_bytes(text: str) -> str:
    return 'b"' + text.replace("\n", "\\n") + '"'
