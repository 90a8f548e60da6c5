"""The proxy of one endpoint, as the environment names it."""

import ipaddress
from urllib.request import getproxies

import httpx

from .credentials import Secret


def environment_proxy(endpoint: httpx.URL) -> Secret | None:
    """Return the proxy that `HTTPS_PROXY` or `ALL_PROXY` name for an https endpoint; None if `NO_PROXY` has it.

    Plain http is for loopback: no proxy may come in between and read the credentials.
    """
    proxies = getproxies()
    proxy = Secret(proxies.get("https") or proxies.get("all") or "")
    if not proxy or endpoint.scheme != "https":
        return None
    if any(_covers(entry.strip().lower(), endpoint) for entry in proxies.get("no", "").split(",")):
        return None
    return Secret(proxy if "://" in proxy else "http://" + proxy)  # it may hold a password


def _covers(entry: str, endpoint: httpx.URL) -> bool:
    """Tell whether an entry of `NO_PROXY` is `*`, or names the endpoint's host, its domain or its network.

    As in curl and requests: a port may follow, an IPv6 address may have brackets, a leading dot changes nothing.
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
