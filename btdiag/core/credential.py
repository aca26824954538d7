"""Where the API key and the target's own headers may go, and what is a secret by its name: pure rules.

The names stand here once: for what is recorded of a request, and for what leaves a report.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from btdiag.core.target import Target
from btdiag.core.urls import port_of

WITHHELD = "[withheld]"
COOKIES = frozenset({"cookie", "set-cookie"})
_SECRET_WORDS = (
    r"api[-_]?keys?|access[-_]?keys?|account[-_]?keys?|private[-_]?keys?|secret[-_]?keys?|subscription[-_]?keys?"
    r"|signing[-_]?keys?|encryption[-_]?keys?|auth[-_]?keys?|function[-_]?keys?|license[-_]?keys?|session[-_]?keys?"
    r"|auth[-_]?tokens?|tokens?|jwts?|secrets?|passwords?|passwds?|passphrases?|pwd|credentials?|signatures?|sas"
    r"|authorization|digest|cookies?|session[-_]?ids?|csrf|xsrf|assertions?"
)
SECRET_NAME = re.compile(rf"(?:[a-z0-9.]+[-_ ])*(?:{_SECRET_WORDS})", re.IGNORECASE)
"""A name of a header, a parameter or a member of JSON whose value is a secret: one of these words, or one that ends in
one ("x-goog-api-key", "private-token", "client_secret"). Names written in one, as "accessToken", are cut up
before they are looked at."""

_LOGS_IN = frozenset({"authorization", "cookie", "x-api-key", "x-bt-api-key", "x-bt-auth-token"})
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def is_secret_name(name: str) -> bool:
    """Does the name of a header, a parameter or a JSON member say that its value is a secret?"""
    return len(name) <= 80 and SECRET_NAME.fullmatch(_HUMPS.sub("-", name).strip("_-")) is not None


def key_withheld(target: Target, url: str, tls_verified: bool | None) -> str | None:
    """Why the API key must not go to `url` on this connection; None when it may.

    It goes to the target's own scheme, host and port over verified TLS, to the --backend where that is at a loopback
    address (a port-forward: nothing leaves this machine unencrypted), or anywhere inside a lab. `tls_verified` is None
    without TLS.
    """
    if target.api_key is None:
        return no_key(target)
    if tls_verified is None and _is_forwarded_backend(target, url):
        return None
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
    return is_secret_name(name) or any(name.lower() == own.lower() for own, _ in target.headers)


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
    return (parts.scheme, parts.hostname, port_of(parts)) == (target.scheme, target.host, target.port)


def _is_forwarded_backend(target: Target, url: str) -> bool:
    parts, backend = urlsplit(url), urlsplit(target.backend or "")
    same = (parts.scheme, parts.hostname, port_of(parts)) == (backend.scheme, backend.hostname, port_of(backend))
    return same and target.backend is not None and _is_loopback(parts.hostname or "")


def _in_lab(target: Target, url: str) -> bool:
    """True for the hosts a lab serves: its target, its reserved names (RFC 2606: nobody else has them), loopback."""
    host = urlsplit(url).hostname or ""
    return host == target.host or host.endswith(".lab.example") or _is_loopback(host)


def _is_loopback(host: str) -> bool:
    """An address of this machine; a name is none, for it may lead anywhere."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
