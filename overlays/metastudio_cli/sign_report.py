"""What `metastudio sign` prints: the stages of a signature, and a curl command that sends the signed request.

No secret is in it: the command reads the secret key and the security token from the environment when it runs.
"""

import re
from shlex import quote

import httpx

from metastudio.signed_request import Stages

_SIGNATURE = (
    "$(python3 -c 'import hashlib,hmac,os;"
    'print(hmac.new(os.environ["HUAWEICLOUD_SDK_SK"].encode(),{to_sign},hashlib.sha256).hexdigest())\')'
)


def report(request: httpx.Request, stages: Stages) -> str:
    """Return the canonical request, the string to sign and the curl command for a signed `request`."""
    canonical = re.sub(r"^(x-security-token:).*$", r"\1***", stages.canonical_request, flags=re.MULTILINE)
    return "\n".join(
        (
            "# canonical request",
            canonical,
            "",
            "# string to sign; its last line is the hash of the canonical request",
            stages.string_to_sign,
            "",
            "# the same request; the secret key comes from HUAWEICLOUD_SDK_SK when it runs, within 15 minutes from now",
            _curl(request, stages),
        )
    )


def _curl(request: httpx.Request, stages: Stages) -> str:
    parts = [f"curl --path-as-is --request {quote(request.method)} {quote(str(request.url))}"]
    parts += [f"--header {_header(name, value, stages)}" for name, value in _headers(request)]
    if request.content:
        parts.append(f"--data-binary {quote(request.content.decode())}")
    return " \\\n  ".join(parts)


def _headers(request: httpx.Request) -> list[tuple[str, str]]:
    return [(name, value) for name, value in request.headers.items() if name != "content-length"]


def _header(name: str, value: str, stages: Stages) -> str:
    if name == "authorization":
        claim = value.rpartition("Signature=")[0]
        return f'"{name}: {claim}Signature={_SIGNATURE.format(to_sign=_python_bytes(stages.string_to_sign))}"'
    if name == "x-security-token":
        return f'"{name}: $HUAWEICLOUD_SDK_SECURITY_TOKEN"'
    return quote(f"{name}: {value}")


def _python_bytes(text: str) -> str:
    return 'b"' + text.replace("\n", "\\n") + '"'
