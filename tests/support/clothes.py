"""The clothes in which a secret may come back, and a finder that sees through them: for tests of redaction."""

from __future__ import annotations

import base64
import binascii
import html
import json
import quopri
import re
import textwrap
from collections.abc import Callable
from urllib.parse import quote, unquote

Dress = Callable[[str], str]


def _b(text: str) -> bytes:
    return text.encode()


def _pct(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in _b(text))


def _b64(text: str, before: str = "") -> str:
    return base64.b64encode(_b(before + text)).decode()


CLOTHES: dict[str, Dress] = {
    "as it is": lambda s: s,
    "upper": str.upper,
    "lower": str.lower,
    "swapped case": str.swapcase,
    "reversed": lambda s: s[::-1],
    "reversed upper": lambda s: s[::-1].upper(),
    "percent": lambda s: quote(s, safe=""),
    "percent all": _pct,
    "percent all lower": lambda s: _pct(s).lower(),
    "percent twice": lambda s: _pct(s).replace("%", "%25"),
    "percent thrice": lambda s: _pct(s).replace("%", "%2525"),
    "json unicode": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "json unicode upper": lambda s: "".join(f"\\u{ord(c):04X}" for c in s),
    "json in json": lambda s: json.dumps(json.dumps({"a": s})),
    "json slashes": lambda s: s.replace("/", "\\/"),
    "js hex": lambda s: "".join(f"\\x{byte:02x}" for byte in _b(s)),
    "octal": lambda s: "".join(f"\\{byte:03o}" for byte in _b(s)),
    "es6 unicode": lambda s: "".join(f"\\u{{{ord(c):x}}}" for c in s),
    "entities": lambda s: "".join(f"&#{ord(c)};" for c in s),
    "entities padded": lambda s: "".join(f"&#{ord(c):05d};" for c in s),
    "entities hex": lambda s: "".join(f"&#x{ord(c):x};" for c in s),
    "entities hex upper": lambda s: "".join(f"&#X{ord(c):X};" for c in s),
    "entities named": lambda s: html.escape(s).replace("-", "&hyphen;"),
    "entities twice": lambda s: html.escape("".join(f"&#{ord(c)};" for c in s)),
    "quoted-printable": lambda s: quopri.encodestring(_b(s * 3), quotetabs=True).decode(),
    "quoted-printable all": lambda s: "".join(f"={byte:02X}" for byte in _b(s)),
    "quoted-printable soft": lambda s: "=\r\n".join(textwrap.wrap(s, 5)),
    "hex": lambda s: _b(s).hex(),
    "hex upper": lambda s: _b(s).hex().upper(),
    "hex colons": lambda s: _b(s).hex(":"),
    "hex blanks": lambda s: _b(s).hex(" "),
    "hex 0x": lambda s: ", ".join(f"0x{byte:02x}" for byte in _b(s)),
    "hex reversed": lambda s: _b(s).hex()[::-1],
    "decimal": lambda s: " ".join(str(byte) for byte in _b(s)),
    "decimal commas": lambda s: ",".join(str(byte) for byte in _b(s)),
    "base32": lambda s: base64.b32encode(_b(s)).decode(),
    "base32 lower": lambda s: base64.b32encode(_b(s)).decode().lower(),
    "base32 shifted": lambda s: base64.b32encode(_b("ab" + s)).decode(),
    "base64": _b64,
    "base64 shifted 1": lambda s: _b64(s, "x"),
    "base64 shifted 2": lambda s: _b64(s, "xy"),
    "base64 of user": lambda s: _b64(s, "user:"),
    "base64 url": lambda s: base64.urlsafe_b64encode(_b(s)).decode().rstrip("="),
    "base64 twice": lambda s: base64.b64encode(base64.b64encode(_b("u:" + s))).decode(),
    "base64 wrapped": lambda s: "\n".join(textwrap.wrap(_b64(s * 3), 16)),
    "base64 percent": lambda s: quote(_b64(s), safe=""),
    "base64 reversed": lambda s: _b64(s)[::-1],
    "base64 case changed": lambda s: _b64(s).upper(),
    "base64 of hex": lambda s: base64.b64encode(base64.b64encode(_b(s))).decode(),
    "base85": lambda s: base64.b85encode(_b(s)).decode(),
    "ascii85": lambda s: base64.a85encode(_b(s)).decode(),
    "zero width": lambda s: "\u200b".join(s),
    "soft hyphens": lambda s: "\u00ad".join(s),
    "bidi": lambda s: "\u202e" + "\u2066".join(s),
    "blanks": lambda s: " ".join(s),
    "no-break spaces": lambda s: "\u00a0".join(s),
    "line ends": lambda s: "\n".join(textwrap.wrap(s, 3)),
    "tabs": lambda s: "\t".join(s),
    "nulls": lambda s: "\0".join(s),
    "dots": lambda s: ".".join(s),
    "prefix of 12": lambda s: s[:12],
    "prefix of 20": lambda s: s[:20],
    "suffix of 16": lambda s: s[-16:],
    "middle masked": lambda s: s[: len(s) // 2] + "*" * 8 + s[-4:],
    "in a URL": lambda s: f"https://h.example/a?next=https%3A%2F%2Fx%3Fq%3D{quote(s, safe='')}&b=1",
    "quoted pieces": lambda s: "' + '".join(textwrap.wrap(s, 5)),
    "utf-16 percent": lambda s: "".join(f"%00%{byte:02X}" for byte in _b(s)),
}
SECRETS = {
    "API key": "sk-Canary4Key-9f2E77qLm0pZ",
    "header": "h3ader-Canary/Value+77aa-Qz",
    "proxy password": "pr0xy-Canary-pass-W5word",
    "foreign token": "ghp_abcDEF0123456789abcDEF0123456789abcD",
}


def shared_runs(shown: str, secret: str, run: int = 10) -> list[str]:
    """What a reader could take out of an output: runs of a secret's letters and digits, seen through encodings."""
    wanted = {one[at : at + run] for one in _forms(secret) for at in range(len(one) - run + 1)}
    return [
        view[at : at + run]
        for view in _views(shown)
        for at in range(len(view) - run + 1)
        if view[at : at + run] in wanted
    ]


def _forms(secret: str) -> set[str]:
    plain = re.sub(r"[^a-z0-9]", "", secret.lower())
    return {plain, plain[::-1]}


def _views(shown: str) -> set[str]:
    found = {shown, unquote(shown), unquote(unquote(unquote(shown))), html.unescape(html.unescape(shown))}
    found |= {re.sub(r"\\u\{?([0-9a-fA-F]{2,6})\}?", lambda m: chr(int(m[1], 16)), one) for one in set(found)}
    found |= {re.sub(r"\\x([0-9a-fA-F]{2})", lambda m: chr(int(m[1], 16)), one) for one in set(found)}
    found |= {quopri.decodestring(one.encode("utf-8", "replace")).decode("latin-1") for one in set(found)}
    for word in re.findall(r"[A-Za-z0-9+/_-]{16,}", shown):
        decoders: tuple[Callable[[str], bytes], ...] = (base64.b64decode, base64.b32decode, bytes.fromhex)
        for decode in decoders:
            try:
                found.add(decode(word + "=" * (-len(word) % 4)).decode("latin-1"))
            except (ValueError, binascii.Error):
                continue
    return {re.sub(r"[^a-z0-9]", "", one.lower()) for one in found}
