"""The one place where secrets leave a report: every document passes it before any format or file sees it.

Two means: values that are known to be secret, in every spelling in which they may turn up (as they are, URL-encoded,
JSON-escaped, base64); and rules for what is secret by its place (header, URL, key file). A removed value becomes a
pseudonym such as `redacted-cookie-1`: numbered, not hashed, so that equal values can be told to be equal within one
run and nothing about them can be guessed.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar, cast

from btdiag.core.report import Report
from btdiag.core.target import Secret
from btdiag.report.documents import Document
from btdiag.report.spellings import CUT, pattern, spellings
from btdiag.report.walk import Rewriter

DocumentType = TypeVar("DocumentType", bound=Document)

PSEUDONYM = re.compile(r"redacted-[a-z]+(?:-[a-z]+)*-\d+")
WITHHELD = "[withheld]"
_REMEMBERED = 64
"""Texts shorter than this are looked at once: facts repeat the same keys and words thousands of times."""

SECRET_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "x-api-key",
        "api-key",
        "x-auth-token",
        "x-bt-auth-token",
        "x-amz-security-token",
        "x-goog-iam-authorization-token",
    }
)
_COOKIES = frozenset({"cookie", "set-cookie"})
_STATEMENTS = re.compile(
    r"absent|allowed|blocked|denied|echoed|false|listed|missing|no|none|not (?:allowed|listed|sent)|null|ok|present"
    r"|reflected|refused|required|sent|true|undefined|unknown|withheld|yes|\*",
    re.IGNORECASE,
)
"""What judgements say of a header by its name ("authorization": "refused"): no value of that header."""

SECRET_PARAMETERS = (
    "x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature|x-goog-credential|awsaccesskeyid"
    "|signature|sig|token|access_token|id_token|refresh_token|auth_token|api_key|apikey|api-key|client_secret"
    "|password|passwd|secret|sas|session_token"
)

_HEADER_NAMES = "|".join(sorted(map(re.escape, SECRET_HEADERS), key=len, reverse=True))
_HEADER_IN_TEXT = re.compile(
    rf"(?<![\w-])(?P<name>{_HEADER_NAMES})(?P<between>[\"'\\]*[ \t]*[:=][ \t]*[\"'\\]*)(?P<value>[^\r\n\"'\\]+)",
    re.IGNORECASE,
)
_SCHEMES = re.compile(
    r"(Basic|Bearer|Digest|Negotiate|NTLM|Token|ApiKey|DPoP|AWS4-HMAC-SHA256)(\s+)(.+)", re.IGNORECASE | re.DOTALL
)
_USERINFO = re.compile(r"(?P<before>[a-z][a-z0-9+.-]{0,30}:\\?/\\?/)(?P<value>[^\s/?#\"'<>\\]+)(?=@)", re.IGNORECASE)
_QUERY = re.compile(
    rf"(?P<before>(?:[?&;]|%3f|%26|\bamp;)(?:{SECRET_PARAMETERS})(?:=|%3d))(?P<value>[^&\s#\"'<>\\]+)", re.IGNORECASE
)
_BEARER = re.compile(r"(?P<before>\b(?:Bearer|Token|ApiKey)\s+)(?P<value>[A-Za-z0-9._~+/-]{8,}=*)", re.IGNORECASE)
_BASIC = re.compile(r"(?P<before>\bBasic\s+)(?P<value>[A-Za-z0-9+/_-]{4,}={0,2})", re.IGNORECASE)
_JWT = re.compile(r"(?P<before>)(?P<value>\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)")
_KEY = re.compile(r"(?P<before>)(?P<value>\b(?:sk|bt-st)-[A-Za-z0-9_-]{16,})")
_PEM = re.compile(
    r"(?P<before>)(?P<value>-----BEGIN (?:[A-Z]+ ){0,2}PRIVATE KEY-----[^-]*"
    r"(?:-----END (?:[A-Z]+ ){0,2}PRIVATE KEY-----)?)"
)


def redact(document: DocumentType, secrets: Iterable[Secret] = ()) -> DocumentType:
    """The document without secrets; `redactions` of each report gains how many values each rule removed.

    Every string is visited, keys of JSON data too. Redacting twice changes nothing.
    """
    return _Redactor(spellings(secrets)).document(document)


def redact_text(text: str, secrets: Iterable[Secret] = ()) -> str:
    """One text without secrets: for what is shown while no report exists yet (progress, diagnostics)."""
    return _Redactor(spellings(secrets)).text(text)


class _Redactor(Rewriter):
    """Walks values, keeps the numbering of pseudonyms for a document and the counts for a report."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = dict(known)
        self._pseudonyms: dict[tuple[str, str], str] = {}
        self._counts: Counter[str] = Counter()
        self._harmless: set[str] = set()
        self._pattern = pattern(known)

    def document(self, document: DocumentType) -> DocumentType:
        if isinstance(document, Report):
            self._counts = Counter(document.redactions)
            walked = self.fields(document, skip=frozenset({"redactions"}))
            return cast(DocumentType, replace(walked, redactions=dict(sorted(self._counts.items()))))
        reports = tuple(self.document(report) for report in document.reports)
        self._counts = Counter()
        return cast(DocumentType, replace(self.fields(document, skip=frozenset({"reports"})), reports=reports))

    def text(self, text: str) -> str:
        if text in self._harmless:
            return text
        rewritten = self._known_values(text)
        lowered = rewritten.lower()
        for hint, rule in _TEXT_RULES:
            if hint in lowered:
                rewritten = rule(self, rewritten)
        if rewritten == text and len(text) < _REMEMBERED:
            self._harmless.add(text)
        return rewritten

    def string(self, text: str, key: str) -> str:
        name = key.lower()
        if name in SECRET_HEADERS and not _STATEMENTS.fullmatch(text):
            return self.header(name, text)
        return self.text(text)

    def header(self, name: str, value: str) -> str:
        """The value of a header without its secret part: cookie names and schemes stay, for they tell who spoke."""
        value = self._known_values(value)
        if name not in SECRET_HEADERS:
            return self.text(value)
        if name in _COOKIES:
            return self._cookie(name, value)
        found = _SCHEMES.fullmatch(value)
        if found:
            return found[1] + found[2] + self._replace("authorization", found[3])
        return self._replace("authorization" if "authorization" in name else "key", value)

    def _cookie(self, name: str, value: str) -> str:
        parts = value.split(";")
        secret = parts[:1] if name == "set-cookie" else parts
        return ";".join([*map(self._cookie_pair, secret), *parts[len(secret) :]])

    def _cookie_pair(self, pair: str) -> str:
        name, separator, value = pair.partition("=")
        return f"{name}={self._replace('cookie', value)}" if separator else self._replace("cookie", pair)

    def _replace(self, rule: str, value: str) -> str:
        if not value.strip(" -") or value == WITHHELD or PSEUDONYM.fullmatch(value.strip()):
            return value
        self._counts[rule] += 1
        number = 1 + sum(known_rule == rule for known_rule, _ in self._pseudonyms)
        return self._pseudonyms.setdefault((rule, value), f"redacted-{rule}-{number}")

    def _known_values(self, text: str) -> str:
        if not self._known:
            return text
        return self._cut_off(self._pattern.sub(self._known_value, text))

    def _known_value(self, match: re.Match[str]) -> str:
        self._counts["known"] += 1
        return self._known[match.group()]

    def _cut_off(self, text: str) -> str:
        """Removes the beginning of a known value with which a text ends because it was cut to a length."""
        end = text[-CUT:]
        for value, pseudonym in self._known.items():
            if len(end) == CUT and end in value:
                longest = next((n for n in range(len(value) - 1, CUT - 1, -1) if text.endswith(value[:n])), 0)
                if longest:
                    self._counts["known"] += 1
                    return text[:-longest] + pseudonym
        return text

    def header_in_text(self, text: str) -> str:
        return _HEADER_IN_TEXT.sub(self._header_match, text)

    def _header_match(self, match: re.Match[str]) -> str:
        name, value = match["name"].lower(), match["value"]
        if not _is_credential(name, value):
            return match.group()
        return match["name"] + match["between"] + self.header(name, value)

    def by_pattern(self, rule: str, pattern: re.Pattern[str], accept: Callable[[str], bool], text: str) -> str:
        done = re.compile(rf"redacted-{rule}-\d")  # by this rule; what is glued to it was no part of the secret

        def put(match: re.Match[str]) -> str:
            value = match["value"]
            if done.match(value) or not accept(value):
                return match.group()
            return match["before"] + self._replace(rule, value)

        return pattern.sub(put, text)


def _is_credential(name: str, value: str) -> bool:
    """Whether what follows a header's name in running text is a value of it, and not prose about it."""
    bare = value.strip().rstrip(".,;)")
    if _STATEMENTS.fullmatch(bare) or not bare:
        return False
    if name in _COOKIES:
        return "=" in bare
    return bool(_SCHEMES.fullmatch(bare)) or " " not in bare


def _is_token(value: str) -> bool:
    """Whether a word after "Bearer" is a token, and not prose ("Bearer authentication")."""
    mixed_case = value.lower() != value and len(value) > CUT
    return mixed_case or len(value) >= 3 * CUT or any(character.isdigit() for character in value)


def _is_userpass(value: str) -> bool:
    """Whether base64 text holds "user:password"."""
    padded = value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4)
    try:
        return b":" in base64.b64decode(padded, altchars=b"-_" if "-" in value or "_" in value else None)
    except ValueError:
        return False


def _any(value: str) -> bool:
    return True


def _pattern_rule(
    rule: str, pattern: re.Pattern[str], accept: Callable[[str], bool] = _any
) -> Callable[[_Redactor, str], str]:
    return lambda redactor, text: redactor.by_pattern(rule, pattern, accept, text)


_TEXT_RULES: tuple[tuple[str, Callable[[_Redactor, str], str]], ...] = (
    ("@", _pattern_rule("userinfo", _USERINFO)),
    ("private key", _pattern_rule("private-key", _PEM)),
    ("eyj", _pattern_rule("token", _JWT)),
    ("-", _pattern_rule("key", _KEY)),
    ("bearer", _pattern_rule("authorization", _BEARER, _is_token)),
    ("basic", _pattern_rule("authorization", _BASIC, _is_userpass)),
    ("auth", _Redactor.header_in_text),
    ("cookie", _Redactor.header_in_text),
    ("-key", _Redactor.header_in_text),
    ("-token", _Redactor.header_in_text),
    ("=", _pattern_rule("query", _QUERY)),
    ("%3d", _pattern_rule("query", _QUERY)),
)
"""A text in which the hint (lower case) does not occur needs no look with the rule."""
