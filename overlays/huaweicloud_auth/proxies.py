"""Find the proxy of an endpoint in the environment."""

import ipaddress
from urllib.request import getproxies

import httpx

from .credentials import Secret


def environment_proxy(endpoint: httpx.URL) -> Secret | None:
    """Return the proxy of an https endpoint from `HTTPS_PROXY` or `ALL_PROXY`, or None if `NO_PROXY` lists it.

    Plain http, which is for loopback only, never uses a proxy, since the proxy could read the credentials.
    """
    proxies = getproxies()
    proxy = Secret(proxies.get("https") or proxies.get("all") or "")
    if not proxy or endpoint.scheme != "https":
        return None
    if any(_covers(entry.strip().lower(), endpoint) for entry in proxies.get("no", "").split(",")):
        return None
    return Secret(proxy if "://" in proxy else "http://" + proxy)  # it may hold a password


def _covers(entry: str, endpoint: httpx.URL) -> bool:
    """Return whether an entry of `NO_PROXY` is `*`, or matches the endpoint's host, domain or network.

    As in curl and requests: a port may follow, an IPv6 address may have brackets, and a leading dot is ignored.
    """
    host, port = endpoint.host.lower(), ""
    if entry.count(":") == 1 or "]:" in entry:
        entry, _, port = entry.rpartition(":")
    if port and port != str(endpoint.port or 443):
        return False
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.replace("[", "").replace("]", ""), strict=False)
    except ValueError:  # one of them is a name
        domain = entry.removeprefix("*").removeprefix(".")
        return entry == "*" or (domain != "" and (host == domain or host.endswith(f".{domain}")))
