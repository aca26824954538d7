"""Secrets that nobody told us of: by their place (header, URL, member of JSON, form, prose) and by their shape. Pure.

Names are core/credential.py's. Shapes are those of a kept library, detect-secrets, beside a few that it lacks; it is
loaded only where a text has something of the kind. Every expression takes linear time.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from functools import cache

from btdiag.core.credential import COOKIES, is_secret_name

Replace = Callable[[str, str], str]
"""Gives the pseudonym for a value that a rule (its name is the first argument) has found."""

_STATEMENTS = re.compile(
    r"absent|allowed|blocked|denied|echoed|expired|false|from [A-Z][A-Z0-9_]*|incorrect|invalid|listed|missing|no|none"
    r"|not (?:allowed|listed|sent)|null|ok|present|reflected|refused|rejected|required|sent|true|undefined|unknown"
    r"|wrong|withheld|\[withheld\]|yes|\*",
    re.IGNORECASE,
)
"""What judgements say of a header by its name ("authorization": "refused"): no value of that header."""

_HINT = re.compile(
    r"key|token|secret|passw|passphrase|pwd|auth|cookie|credential|signature|sas|digest|csrf|xsrf|session|jwt|assertion",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"(?<![\w.-])(?P<name>(?:(?:api|access|account|private|secret|subscription|signing|auth|license) )?"
    r"[A-Za-z][\w.-]{1,79})(?P<between>[\"'\\`]{0,4}[ \t]{0,4}[:=][ \t]{0,4}(?P<quote>[\"'\\`]{0,4}))",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"(?:\\[^\r\n]|[^\"'`\\\r\n])+")
_QUOTED_IN_TEXT = re.compile(r"(?:\\(?![\"'])|[^\"'\\\r\n])+")
_LINE = re.compile(r"[^\r\n\"'\\]{1,8192}")
_WITH_SCHEME = re.compile(r"(?:Basic|Bearer|Digest|Negotiate|NTLM|Token|ApiKey|DPoP|AWS4-HMAC-SHA256)\s", re.IGNORECASE)
_ALONE = re.compile(r"[^\s\"'\\]+(?=[ \t]*(?:[\r\n\"'\\]|$))|[^\s\"'\\]+(?=[.,;)][ \t])")
"""A word with which a line, or a sentence, ends: what goes on is prose."""
_WORD = re.compile(r"[^\s&;,\"'<>\\]+")
_SCHEMES = re.compile(
    r"(Basic|Bearer|Digest|Negotiate|NTLM|Token|ApiKey|DPoP|AWS4-HMAC-SHA256)(\s+)(.+)", re.IGNORECASE | re.DOTALL
)
_IN_QUERIES = frozenset(
    {"key", "code", "sig", "awsaccesskeyid", "googleaccessid", "x-amz-credential", "x-goog-credential", "policy"}
)
_USERINFO = re.compile(r"(?P<before>[a-z][a-z0-9+.-]{0,30}:\\?/\\?/)(?P<value>[^\s/?#\"'<>\\]+)(?=@)", re.IGNORECASE)
_PARAMETER = re.compile(r"(?:[?&;#]|%3f|%26|%23|\bamp;)(?P<name>[\w.-]{1,80})(?:=|%3d)", re.IGNORECASE)
_PARAMETER_VALUE = re.compile(r"[^&\s#\"'<>\\]+")
_CURL = re.compile(r"(?P<before>(?:\s-u|--user|--proxy-user|\s-U)[ =]{1,3}[\"']?)(?P<value>[^\s:\"']{1,80}:[^\s\"']+)")
_BEARER = re.compile(r"(?P<before>\b(?:Bearer|Token|ApiKey)\s+)(?P<value>[A-Za-z0-9._~+/-]{8,}=*)", re.IGNORECASE)
_BASIC = re.compile(r"(?P<before>\bBasic\s+)(?P<value>[A-Za-z0-9+/_-]{4,}={0,2})", re.IGNORECASE)
_JWT = re.compile(r"(?P<before>)(?P<value>\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)")
_KEY = re.compile(r"(?P<before>)(?P<value>\b(?:sk|bt-st)-[A-Za-z0-9_-]{16,})")
_PEM = re.compile(
    r"(?P<before>)(?P<value>-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?!-----END)[\s\S]){0,20000}(?:-----END (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----)?)"
)
_LACKING = re.compile(
    r"(?P<before>)(?P<value>\b(?:AIza[\w-]{35}|ya29\.[\w-]{20,}|github_pat_\w{22,}|npm_[A-Za-z0-9]{36}))"
)
_SHAPES = re.compile(
    r"A3T|A[BCKS]IA|AccountKey=|gh[opurs]_|gl[a-z]{2,6}-|GR1348941|xox[abposr]-|hooks\.slack\.com|SG\.|[rs]k_live_|sq0csp-"
    r"|pypi-Ag|-us\d|\b(?:AC|SK)[a-z0-9]{32}|aws"
)
_DETECTORS = (
    ("aws", "AWSKeyDetector"),
    ("azure_storage_key", "AzureStorageKeyDetector"),
    ("github_token", "GitHubTokenDetector"),
    ("gitlab_token", "GitLabTokenDetector"),
    ("mailchimp", "MailchimpDetector"),
    ("pypi_token", "PypiTokenDetector"),
    ("sendgrid", "SendGridDetector"),
    ("slack", "SlackDetector"),
    ("square_oauth", "SquareOAuthDetector"),
    ("stripe", "StripeDetector"),
    ("twilio", "TwilioKeyDetector"),
)
_LONG = 16


def without_secrets(text: str, replace: Replace) -> str:
    """The text without what is a secret by its place or shape."""
    lowered = text.lower()
    for hint, rule, pattern, accept in _RULES:
        if hint in lowered:
            text = _by_pattern(rule, pattern, accept, text, replace)
    if "=" in lowered or "%3d" in lowered:
        text = _queries(text, replace)
    if _HINT.search(text) is not None:
        text = _pairs(text, replace)
    return _shapes(text, replace) if _SHAPES.search(text) is not None else text


def secret_header(name: str, value: str, replace: Replace) -> str:
    """The value of a header that is secret by its name: cookie names and schemes stay, for they tell who spoke."""
    if name in COOKIES:
        pairs = value.split(";")
        secret = pairs[:1] if name == "set-cookie" else pairs
        return ";".join([*(_cookie(pair, replace) for pair in secret), *pairs[len(secret) :]])
    found = _SCHEMES.fullmatch(value)
    if found:
        return found[1] + found[2] + replace("authorization", found[3])
    return replace("authorization" if "authorization" in name else "key", value)


def is_statement(value: str) -> bool:
    """Whether it says something of a header, and is no value of it."""
    return _STATEMENTS.fullmatch(value) is not None


def _cookie(pair: str, replace: Replace) -> str:
    name, separator, value = pair.partition("=")
    return f"{name}={replace('cookie', value)}" if separator else replace("cookie", pair)


def _by_pattern(
    rule: str, pattern: re.Pattern[str], accept: Callable[[re.Match[str]], bool], text: str, replace: Replace
) -> str:
    done = f"redacted-{rule}-"  # by this rule; what is glued to it was no part of the secret

    def put(match: re.Match[str]) -> str:
        value = match["value"]
        if value.startswith(done) or not accept(match):
            return match.group()
        return match["before"] + replace(rule, value)

    return pattern.sub(put, text)


def _queries(text: str, replace: Replace) -> str:
    """Without the values of parameters that are secret by their names, in URLs and fragments, encoded ones too."""
    pieces, last = [], 0
    for match in _PARAMETER.finditer(text):
        name = match["name"].lower()
        value = _PARAMETER_VALUE.match(text, match.end())
        if match.start() < last or value is None or not (name in _IN_QUERIES or is_secret_name(match["name"])):
            continue
        pieces += [text[last : match.end()], replace("query", value.group())]
        last = value.end()
    return "".join([*pieces, text[last:]])


def _pairs(text: str, replace: Replace) -> str:
    """Without the values of "name: value", name=value and their like, where the name is that of a secret."""
    pieces, last = [], 0
    for match in _NAME.finditer(text):
        name = match["name"].replace(" ", "-")
        if match.start() < last or not is_secret_name(name):
            continue
        value = _value_pattern(match, text).match(text, match.end())
        if value is None or not _is_value(name.lower(), value.group(), match):
            continue
        pieces += [text[last : match.end()], _of_pair(name.lower(), value.group(), replace)]
        last = value.end()
    return "".join([*pieces, text[last:]])


def _value_pattern(match: re.Match[str], text: str) -> re.Pattern[str]:
    quote = match["quote"]
    if quote:
        return _QUOTED if len(quote) == 1 and quote != "\\" else _QUOTED_IN_TEXT
    if match["name"].lower() in COOKIES or _WITH_SCHEME.match(text, match.end()):
        return _LINE
    return _WORD if "=" in match["between"] else _ALONE


def _of_pair(name: str, value: str, replace: Replace) -> str:
    trailing = value[len(value.rstrip(" \t.,;)")) :]
    kept = value[: len(value) - len(trailing)]
    return (
        secret_header(name, kept, replace) + trailing
        if name in COOKIES or _SCHEMES.fullmatch(kept)
        else replace(_rule(name), kept) + trailing
    )


def _rule(name: str) -> str:
    return "authorization" if "authorization" in name else "key"


def _is_value(name: str, value: str, match: re.Match[str]) -> bool:
    """Whether what follows a name is a value of it, and not prose about it."""
    bare = value.strip().rstrip(".,;)")
    if not bare or is_statement(bare):
        return False
    if name in COOKIES:
        return "=" in bare
    if match["quote"] or "=" in match["between"]:
        return " " not in bare or bool(_SCHEMES.fullmatch(bare)) or len(bare) >= _LONG
    if _SCHEMES.fullmatch(bare):
        return True
    return " " not in bare and ("-" in name or "authorization" in name or _is_token(bare))


def _is_token(value: str) -> bool:
    """Whether a word is a token, and not prose ("Bearer authentication", "password: incorrect")."""
    mixed_case = value.lower() != value and len(value) > _LONG // 2
    return mixed_case or len(value) >= _LONG * 3 // 2 or any(character.isdigit() for character in value)


def _is_userpass(match: re.Match[str]) -> bool:
    """Whether base64 text holds "user:password"."""
    value = match["value"]
    padded = value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4)
    try:
        return b":" in base64.b64decode(padded, altchars=b"-_" if "-" in value or "_" in value else None)
    except ValueError:
        return False


def _any(match: re.Match[str]) -> bool:
    return True


def _is_bearer(match: re.Match[str]) -> bool:
    return _is_token(match["value"])


_RULES: tuple[tuple[str, str, re.Pattern[str], Callable[[re.Match[str]], bool]], ...] = (
    ("@", "userinfo", _USERINFO, _any),
    ("private key", "private-key", _PEM, _any),
    ("eyj", "token", _JWT, _any),
    ("-", "key", _KEY, _any),
    ("aiza", "key", _LACKING, _any),
    ("ya29.", "key", _LACKING, _any),
    ("github_pat_", "key", _LACKING, _any),
    ("npm_", "key", _LACKING, _any),
    ("bearer", "authorization", _BEARER, _is_bearer),
    ("token", "authorization", _BEARER, _is_bearer),
    ("basic", "authorization", _BASIC, _is_userpass),
    ("-u", "userinfo", _CURL, _any),
    ("user", "userinfo", _CURL, _any),
)
"""Hint, rule, expression, what decides. A text in which the hint (lower case) does not occur needs no look."""


@cache
def _detectors() -> tuple[re.Pattern[str], ...]:
    from importlib import import_module  # a tenth of a second that only a report with such a text has to wait

    patterns: list[re.Pattern[str]] = []
    for module, name in _DETECTORS:
        patterns += getattr(import_module(f"detect_secrets.plugins.{module}"), name).denylist
    return tuple(patterns)


def _shapes(text: str, replace: Replace) -> str:
    for pattern in _detectors():
        text = pattern.sub(lambda match: _shape(match, replace), text)
    return text


def _shape(match: re.Match[str], replace: Replace) -> str:
    """The library's expressions have a group around the secret, around a part of its beginning, or none."""
    whole = match.group()
    group = match[1] if match.re.groups and match[1] and len(match[1]) >= _LONG else whole
    return whole.replace(group, replace("key", group))
