"""Where the API key and the target's own headers may go, and what is a secret by its name: pure rules.

The names stand here once: for what is recorded of a request, and for what leaves a report.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from btdiag.core.address import AddressKind, kind
from btdiag.core.target import Target
from btdiag.core.urls import port_of

WITHHELD = "[withheld]"
MADE_UP = "Bearer btdiag-made-up-key"
"""An Authorization header that no API server takes: what is asked with it changes nothing."""
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
_NOT_PUBLIC = frozenset(
    {
        AddressKind.LOOPBACK,
        AddressKind.PRIVATE,
        AddressKind.CGNAT,
        AddressKind.LINK_LOCAL,
        AddressKind.UNIQUE_LOCAL,
        AddressKind.SITE_LOCAL,
    }
)
_HINT = " (--key-over-http sends it to an address that is not public)"
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def is_secret_name(name: str) -> bool:
    """Does the name of a header, a parameter or a JSON member say that its value is a secret?"""
    return len(name) <= 80 and SECRET_NAME.fullmatch(_HUMPS.sub("-", name).strip("_-")) is not None


def key_withheld(target: Target, url: str, tls_verified: bool | None, peer: str | None = None) -> str | None:
    """Why the API key must not go to `url` on this connection; None when it may.

    It goes to the target's own scheme, host and port, and to --backend: over verified TLS; over http to this machine
    itself (a port-forward), and with --key-over-http to an address that is not public. And anywhere inside a lab.
    `tls_verified` is None without TLS, `peer` the address that the connection ends at, None through a proxy.
    """
    if target.api_key is None:
        return no_key(target)
    why = _withheld(target, url, tls_verified, (target.url, target.backend))
    if why is None or tls_verified is not None or not _is_one_of(url, (target.url, target.backend)):
        return why
    near = kind(peer) if peer else AddressKind.PUBLIC
    if near is AddressKind.LOOPBACK or (target.key_over_http and near in _NOT_PUBLIC):
        return None
    return f"{why}{_HINT if near in _NOT_PUBLIC else ''}"


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
    if target.scheme == "http" and _is_one_of(url, (target.url,)):
        return None
    return _withheld(target, url, tls_verified, (target.url,))


def is_secret_header(target: Target, name: str) -> bool:
    """True for a request header whose value must not be recorded."""
    return is_secret_name(name) or any(name.lower() == own.lower() for own, _ in target.headers)


def logs_in(target: Target) -> bool:
    """True when a header given with --header authenticates every request to the API, so that none is sent without a
    key: what would write must then not be sent at all."""
    return any(name.lower() in _LOGS_IN for name, _ in target.headers)


def _withheld(target: Target, url: str, tls_verified: bool | None, own: tuple[str | None, ...]) -> str | None:
    if target.lab_scenario is not None and _in_lab(target, url):
        return None
    if not _is_one_of(url, own):
        return f"{urlsplit(url).netloc} is not the target's own host and port"
    if tls_verified is None:
        return "the connection is not encrypted"
    return None if tls_verified else "the certificate could not be verified"


def _is_one_of(url: str, own: tuple[str | None, ...]) -> bool:
    return _place(url) in {_place(one) for one in own if one}


def _place(url: str) -> tuple[str, str | None, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, port_of(parts)


def _in_lab(target: Target, url: str) -> bool:
    """True for the hosts a lab serves: its target, its reserved names (RFC 2606: nobody else has them), loopback."""
    host = urlsplit(url).hostname or ""
    if host == target.host or host.endswith(".lab.example"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
