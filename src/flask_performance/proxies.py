"""The way out through a company's proxy, as HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY say.

The environment alone is asked, with Python's own rules. What macOS and Windows keep beside it is
not: asking macOS in the child of a fork ends the process.
"""

import base64
import os
from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

#: What a proxy listens on where its variable does not say.
_PORT: Final = 80


class Proxy(NamedTuple):
    """Who carries our requests on to the platform."""

    host: str
    port: int
    #: With whom it has to do: Proxy-Authorization, where the variable has a name and a password.
    headers: dict[str, str]

    @property
    def name(self) -> str:
        return f"{self.host}:{self.port}"


def proxy_for(scheme: str, host: str, port: int) -> Proxy | None:
    """The proxy between us and the platform; None where the way is direct.

    Raise ValueError, with the remedy, when the environment names one that we cannot speak with: to
    go past it would be against what was asked for.
    """
    if _is_loopback(host) or not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    # Few have a proxy, and it takes longer to import than all of us.
    from urllib.request import getproxies_environment, proxy_bypass

    proxies = getproxies_environment()
    url = proxies.get(scheme) or proxies.get("all")
    if not url or proxy_bypass(f"{host}:{port}"):  # which looks no further where we found one
        return None
    return _parsed(url, f"{scheme.upper()}_PROXY" if proxies.get(scheme) else "ALL_PROXY")


def _is_loopback(host: str) -> bool:
    """Whether `host` is this machine: to a proxy the same word is another one."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _parsed(url: str, variable: str) -> Proxy:
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        port = parts.port or _PORT
    except ValueError:
        port = 0
    if parts.scheme != "http" or not parts.hostname or not port:
        raise ValueError(
            f"{variable} in the environment is no proxy that Flask-Performance can use: it has to "
            "be http://host:port; NO_PROXY names hosts that are reached without it"
        )
    return Proxy(parts.hostname, port, _authorization(parts.username, parts.password))


def _authorization(user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        return {}
    words = f"{unquote(user)}:{unquote(password or '')}".encode()
    return {"Proxy-Authorization": f"Basic {base64.b64encode(words).decode('ascii')}"}
