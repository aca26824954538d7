"""Options whose value may hold a secret: taken apart without ever repeating what cannot be. Pure.

A password with a slash, a header without its colon, a key where a variable's name belongs: what does not parse is the
likeliest place for a secret to stand in.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from btdiag.core.urls import url_parts, without_userinfo

LONGEST_HEADER = 8192  # characters; what servers take of a request's head
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")  # RFC 9110 section 5.6.2


def header_parts(entry: str) -> tuple[str, str]:
    """Name and value of 'Name: value'; ValueError, which repeats nothing, for anything else."""
    name, colon, value = entry.partition(":")
    name, value = name.strip(), value.strip()
    if not colon or not _TOKEN.fullmatch(name):
        raise ValueError("write 'Name: value' (what was given is not repeated here, for it may be secret)")
    return name, value


def header_value(value: str) -> str:
    """The value, if a header can carry it: printable ASCII (RFC 9110 section 5.5); else ValueError."""
    if not (value.isascii() and value.isprintable()) or len(value) > LONGEST_HEADER:
        raise ValueError("the value has characters that a header cannot carry, or too many")
    return value


def proxy_parts(text: str) -> tuple[str, str]:
    """The proxy's URL without credentials, and "user:password" decoded ("" without); ValueError, which repeats nothing,
    for what is no proxy. A path behind the host is what an unescaped / or # in a password leaves."""
    whole = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(whole)
        bare = url_parts(without_userinfo(whole) if parts.username is not None else whole)
        credentials = f"{_decoded(parts.username)}:{_decoded(parts.password or '')}" if parts.username else ""
    except ValueError:
        raise ValueError(_wrong(whole)) from None
    if bare.path or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(_wrong(whole))
    return bare.with_port, credentials


def _decoded(text: str) -> str:
    decoded = unquote(text, errors="strict")
    if not decoded.isprintable():
        raise ValueError
    return decoded


def _wrong(text: str) -> str:
    if re.match(r"(?!https?://)[a-z0-9+.-]{1,20}://", text, re.IGNORECASE) and "@" not in text:
        return "only http and https proxies can be used: write http://HOST:PORT"
    return (
        "is no proxy: write http://HOST:PORT, with http://USER:PASSWORD@HOST:PORT where it wants to know who asks, and "
        "every character of the password but letters and digits as %XX (it is not repeated here)"
    )
