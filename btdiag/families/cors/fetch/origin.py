"""Would a browser take this text for a URL? It decides how Chromium names a wrong `Access-Control-Allow-Origin`.

Source: WHATWG URL standard, "URL parsing" and "host parsing", as far as validity goes; https://url.spec.whatwg.org/
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import unquote

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(.*)")
_SPECIAL = frozenset({"ftp", "http", "https", "ws", "wss"})
_FORBIDDEN_IN_DOMAIN = frozenset("#/:<>?@[\\]^|%\x7f") | {chr(code) for code in range(0x20)}
_NUMBER = re.compile(r"0[xX][0-9A-Fa-f]*|[0-9]+")


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return "%" not in text


def _number(text: str) -> int | None:
    """One part of an IPv4 address: decimal, octal after "0", hexadecimal after "0x"; None if it is none of them."""
    if not _NUMBER.fullmatch(text):
        return None
    digits, base = (text[2:] or "0", 16) if text[:2] in ("0x", "0X") else (text, 8 if text[0] == "0" else 10)
    try:
        return int(digits, base)
    except ValueError:
        return None


def _is_ipv4(labels: list[str]) -> bool:
    numbers = [_number(label) for label in labels]
    if len(numbers) > 4 or None in numbers:
        return False
    known = [number for number in numbers if number is not None]
    return all(number < 256 for number in known[:-1]) and known[-1] < 256 ** (5 - len(known))


def _is_host(host: str, special: bool) -> bool:
    if host.startswith("["):
        return host.endswith("]") and _is_ipv6(host[1:-1])
    if not special:
        return bool(host) and not (_FORBIDDEN_IN_DOMAIN - {"%"}).intersection(host)
    domain = unquote(host, errors="strict") if "%" in host else host
    if not domain or _FORBIDDEN_IN_DOMAIN.intersection(domain):
        return False
    labels = domain.removesuffix(".").split(".")
    ends_in_number = labels[-1].isdigit() or _number(labels[-1]) is not None
    return _is_ipv4(labels) if ends_in_number else True


def _is_authority(authority: str, special: bool) -> bool:
    host_and_port = authority.rpartition("@")[2]
    host, _, port = host_and_port.partition(":") if not host_and_port.startswith("[") else _split_ipv6(host_and_port)
    if port and not (port.isdecimal() and port.isascii() and len(port.lstrip("0")) < 6 and int(port) <= 65535):
        return False
    return _is_host(host, special)


def _split_ipv6(text: str) -> tuple[str, str, str]:
    host, bracket, rest = text.partition("]")
    if rest and not rest.startswith(":"):
        return "", "", ""
    return host + bracket, ":", rest[1:]


def is_valid_url(text: str) -> bool:
    """Is the text an absolute URL with a host where its scheme wants one? Never raises."""
    match = _SCHEME.fullmatch(re.sub(r"[\t\r\n]", "", text))
    if match is None:
        return False
    scheme, rest = match[1].lower(), match[2]
    special = scheme in _SPECIAL
    if not special and not rest.startswith("//"):
        return True
    authority = re.split(r"[/\\?#]", rest.lstrip("/\\"))[0] if special else re.split(r"[/?#]", rest[2:])[0]
    if not authority or (scheme == "file" and ":" in authority):
        return not authority and not special
    try:
        return _is_authority(authority, special or scheme == "file")
    except UnicodeDecodeError:
        return False
