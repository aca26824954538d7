"""Where the API key and the target's own headers may go: pure rules, asked before every request."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from btdiag.core.target import Target

WITHHELD = "[withheld]"
_SECRET_NAMES = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "x-bt-api-key"})

_LOGS_IN = _SECRET_NAMES - {"proxy-authorization"} | {"x-bt-auth-token"}


def key_withheld(target: Target, url: str, tls_verified: bool | None) -> str | None:
    """Why the API key must not go to `url` on this connection; None when it may.

    It goes to the target's own scheme, host and port over verified TLS, or anywhere inside a lab. `tls_verified` is
    None without TLS.
    """
    if target.api_key is None:
        return no_key(target)
    return _withheld(target, url, tls_verified)


def no_key(target: Target) -> str:
    """Why there is no key at all for this target, and what to do."""
    return (
        target.withheld or "no API key was given: set BRAINTRUST_API_KEY, or name another variable with --api-key-env"
    )


def headers_withheld(target: Target, url: str, tls_verified: bool | None) -> str | None:
    """Why the headers given with --header must not go to `url`; None when they may.

    They belong to the target as it was named, http included (the user asked for it), and may be as secret as the key:
    not to another host or port, not over TLS that is not trusted.
    """
    if target.scheme == "http" and _is_own(target, url):
        return None
    return _withheld(target, url, tls_verified)


def is_secret_header(target: Target, name: str) -> bool:
    """True for a request header whose value must not be recorded."""
    return name.lower() in _SECRET_NAMES or any(name.lower() == own.lower() for own, _ in target.headers)


def logs_in(target: Target) -> bool:
    """True when a header given with --header authenticates every request to the API, so that none is sent without a
    key: what would write must then not be sent at all."""
    return any(name.lower() in _LOGS_IN for name, _ in target.headers)


def _withheld(target: Target, url: str, tls_verified: bool | None) -> str | None:
    if target.lab_scenario is not None and _in_lab(target, url):
        return None
    if not _is_own(target, url):
        return f"{urlsplit(url).netloc} is not the target's own host and port"
    if tls_verified is None:
        return "the connection is not encrypted"
    return None if tls_verified else "the certificate could not be verified"


def _is_own(target: Target, url: str) -> bool:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return (parts.scheme, parts.hostname, port) == (target.scheme, target.host, target.port)


def _in_lab(target: Target, url: str) -> bool:
    """True for the hosts a lab serves: its target, its reserved names (RFC 2606: nobody else has them), loopback."""
    host = urlsplit(url).hostname or ""
    if host == target.host or host.endswith(".lab.example"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
