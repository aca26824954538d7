"""Formats that begin as the common log format does: nginx, ingress-nginx and Apache, and any format string of theirs.

A format is a list of literals and roles, made into one compiled expression; a tail of `name=value` pairs is learned
from the first line that has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from btdiag.logs import quick
from btdiag.logs.event import Event
from btdiag.logs.house import UsageError, plain
from btdiag.logs.products import apache, envoy, nginx

Make = Callable[[Mapping[str, bytes]], Event | None]

NGINX_ROLES: Mapping[str, str] = {
    "remote_addr": "client", "time_local": "time_local", "time_iso8601": "time_iso", "msec": "msec", "pid": "pid",
    "hostname": "pid",
    "request": "request", "request_method": "method", "request_uri": "uri", "uri": "uri", "status": "status",
    "body_bytes_sent": "bytes", "bytes_sent": "sent", "http_user_agent": "agent", "request_time": "request_time",
    "upstream_addr": "upstream_addr", "upstream_status": "upstream_status", "upstream_connect_time": "uct",
    "upstream_header_time": "uht", "upstream_response_time": "urt", "upstream_bytes_received": "ubr",
    "upstream_response_length": "upstream_length", "connection": "connection", "request_completion": "completion",
    "request_id": "request_id", "req_id": "request_id", "host": "host", "http_x_request_id": "request_id",
}  # fmt: skip
"""nginx variable -> what it is for the judgement."""

NGINX_SHORT: Mapping[str, str] = {
    "rt": "request_time", "uct": "uct", "uht": "uht", "urt": "urt", "ua": "upstream_addr", "us": "upstream_status",
    "ubr": "ubr", "c": "connection", "compl": "completion", "msec": "msec", "host": "host", "rid": "request_id",
    "upstream": "upstream_addr", "cs": "cache", "ul": "upstream_length", "reqid": "request_id",
}  # fmt: skip
"""Names that people give to these variables in formats of name=value."""

APACHE_SHORT: Mapping[str, str] = {
    "X": "completion", "k": "requests", "D": "duration_us", "L": "log_id", "note": "note", "worker": "worker",
    "host": "host", "I": "received", "error-notes": "note", "err": "note",
}  # fmt: skip
APACHE_ROLES: Mapping[str, str] = {
    "h": "client", "a": "client", "t": "time_local", "r": "request", "s": "status", "b": "bytes", "B": "bytes",
    "O": "sent", "D": "duration_us", "L": "log_id", "X": "completion", "k": "requests",
}  # fmt: skip

_QUOTED = rb'((?:[^"\\]|\\.)*)'
_HEAD = rb'(?:(\S+:\d+) )?(\S+) \S+ (?:\S+|.{1,200}?) \[([^\]]{20,40})\] "' + _QUOTED + rb'" (\d{3}|-) (\d+|-)'
_HEAD_ROLES = ("vhost", "client", "time_local", "request", "status", "bytes")
_AGENT = rb' "(?:[^"\\]|\\.)*" "' + _QUOTED + rb'"'
_COMBINED = re.compile(rb"^" + _HEAD + _AGENT)
_COMBINED_ALONE = re.compile(rb"^" + _HEAD + _AGENT + rb'(?: "[^"]*")*\s*$')
_COMMON = re.compile(rb"^" + _HEAD + rb"\s*$")
_ATTEMPTS = rb"([^\s,]+(?:(?:, | : )[^\s,]+)*|)"
_INGRESS = re.compile(
    rb"^"
    + _HEAD
    + _AGENT
    + rb" (\d+) ([\d.]+|-) \[([^\]]*)\] \[([^\]]*)\] "
    + rb" ".join([_ATTEMPTS] * 4)
    + rb" (\w+|-)"
)
_INGRESS_ROLES = (*_HEAD_ROLES, "agent", "", "request_time", "pool", "", "upstream_addr", "upstream_length", "urt",
                  "upstream_status", "request_id")  # fmt: skip
_VALUE = rb'(?:"((?:[^"\\]|\\.)*)"|([^\s",]*(?:(?:, | : |,)[^\s",]+)*))'
_LAST_VALUE = rb'(?:"((?:[^"\\]|\\.)*)"|([^"\n]*))'  # free text, as Apache's notes are
_KEY = re.compile(rb' ([A-Za-z][\w-]{0,40})=(?="|[^\s=])| ([A-Za-z][\w-]{0,40})=(?= |$)')
_MOST_KEYS = 40


class Pattern:
    """One compiled format: the expression, the role of each group, and what makes an event of them."""

    replays = True

    def __init__(self, regex: re.Pattern[bytes], roles: Sequence[str], make: Make, product: str, name: str,
                 resolution_s: float, fast: quick.Quick | None = None) -> None:  # fmt: skip
        self.quick = fast
        self._match = regex.match
        self._roles = tuple(roles)
        self._make = make
        self.product, self.format, self.resolution_s = product, name, resolution_s

    def parse(self, line: bytes) -> Event | None:
        match = self._match(line)
        if match is None:
            return None
        return self._make(
            {role: text for role, text in zip(self._roles, match.groups(), strict=True) if text is not None}
        )


def combined() -> Pattern:
    """The combined format of nginx and Apache, which one line does not tell apart."""
    return Pattern(
        _COMBINED_ALONE,
        (*_HEAD_ROLES, "agent"),
        nginx.nginx_event,
        "nginx",
        "nginx-combined",
        1.0,
        quick.quick_combined(),
    )


def common() -> Pattern:
    """The common log format, without referrer and agent."""
    return Pattern(_COMMON, _HEAD_ROLES, nginx.nginx_event, "nginx", "nginx-common", 1.0)


def ingress() -> Pattern:
    """ingress-nginx as it comes."""
    return Pattern(_INGRESS, _INGRESS_ROLES, nginx.nginx_event, "nginx", "ingress-nginx", 1.0, quick.quick_ingress())


def with_pairs(line: bytes) -> Pattern | None:
    """The format of a combined line that goes on with name=value pairs; None where it does not."""
    head = _COMBINED.match(line)
    if head is None:
        return None
    keys = tuple(name or other for name, other in _KEY.findall(line[head.end() :][:4000]))
    if not keys or len(keys) > _MOST_KEYS or len(set(keys)) != len(keys):
        return None
    quoted = tuple(b" " + key + b'="' in line for key in keys)
    return _paired(keys, quoted)


@lru_cache(64)
def _paired(keys: tuple[bytes, ...], quoted: tuple[bool, ...]) -> Pattern | None:
    names = [key.decode() for key in keys]
    short = APACHE_SHORT if {"D", "note"} & set(names) else {**NGINX_ROLES, **NGINX_SHORT}
    roles = [short.get(name, "") for name in names]
    if sum(map(bool, roles)) < 2:
        return None
    tail = b"".join(rb" " + re.escape(key) + rb"=" + _VALUE for key in keys[:-1])
    tail += rb" " + re.escape(keys[-1]) + rb"=" + _LAST_VALUE + rb"\s*$"
    fast = quick.paired(keys, roles, quoted)
    roles = [role for role in roles for _ in range(2)]  # a value with and without quotes
    regex = re.compile(rb"^" + _HEAD + _AGENT + tail, re.DOTALL)
    if short is APACHE_SHORT:
        return Pattern(regex, (*_HEAD_ROLES, "agent", *roles), apache.apache_event, "apache", "apache-rich", 1.0)
    fine = 1e-3 if "msec" in roles else 1.0
    return Pattern(regex, (*_HEAD_ROLES, "agent", *roles), nginx.nginx_event, "nginx", "nginx-upstream", fine, fast)


_NGINX_TOKEN = re.compile(r"\$\{(\w+)\}|\$(\w+)")
_APACHE_TOKEN = re.compile(r"%[<>!\d,]*(?:\{([^}]*)\})?([A-Za-z]|\^t[io])")
_ENVOY_TOKEN = re.compile(r"%([A-Z_0-9]+)(?:\(([^)]*)\))?(?::\d+)?%")
_ENVOY_ROLES: Mapping[str, str] = {
    "START_TIME": "start", "RESPONSE_CODE": "status", "RESPONSE_FLAGS": "flags", "RESPONSE_CODE_DETAILS": "details",
    "DURATION": "duration_ms", "UPSTREAM_HOST": "upstream_host", "UPSTREAM_CLUSTER": "cluster",
    "UPSTREAM_LOCAL_ADDRESS": "local_address", "UPSTREAM_CONNECTION_ID": "upstream_connection_id",
    "UPSTREAM_TRANSPORT_FAILURE_REASON": "failure", "UPSTREAM_REQUEST_ATTEMPT_COUNT": "attempts",
    "REQ(:METHOD)": "method", "REQ(:PATH)": "path", "REQ(X-ENVOY-ORIGINAL-PATH?:PATH)": "path",
    "REQ(X-REQUEST-ID)": "request_id", "REQ(USER-AGENT)": "agent", "DOWNSTREAM_REMOTE_ADDRESS": "client",
}  # fmt: skip
_LONGEST_FORMAT = 10_000


def of_format(text: str) -> Pattern:
    """The pattern of a format string as it stands in a configuration: nginx's, Apache's or Envoy's.

    UsageError for one without a status or a time.
    """
    if len(text) > _LONGEST_FORMAT:
        raise UsageError("--log-format: is longer than any log format")
    text = text.strip("\n")
    if _ENVOY_TOKEN.search(text) and "%START_TIME" in text:
        found = _compiled(
            text, _ENVOY_TOKEN, lambda match: _ENVOY_ROLES.get(_operator(match), ""), envoy.envoy_event, "envoy"
        )
    elif _NGINX_TOKEN.search(text):
        roles = NGINX_ROLES
        found = _compiled(
            text, _NGINX_TOKEN, lambda match: roles.get(match[1] or match[2], ""), nginx.nginx_event, "nginx"
        )
    elif _APACHE_TOKEN.search(text):
        found = _compiled(text.replace("%t", "[%t]"), _APACHE_TOKEN, _apache_role, apache.apache_event, "apache")
    else:
        raise UsageError(f"--log-format {plain(text)[:60]}: names no field of nginx, Apache or Envoy")
    return found


def _operator(match: re.Match[str]) -> str:
    return f"{match[1]}({match[2]})" if match[1] == "REQ" else match[1]


def _apache_role(match: re.Match[str]) -> str:
    if match[1] is None:
        return APACHE_ROLES.get(match[2], "")
    named = {"user-agent": "agent", "error-notes": "note", "balancer_worker_name": "worker"}
    return named.get(match[1].lower(), "")


def _compiled(text: str, token: re.Pattern[str], role_of: Callable[[re.Match[str]], str], make: Make,
              product: str) -> Pattern:  # fmt: skip
    pieces, roles, last = [b"^"], [], 0
    for match in token.finditer(text):
        pieces.append(_literal(text[last : match.start()]))
        role = role_of(match)
        group = _group(text[: match.start()], text[match.end() :])
        if role and role not in roles:
            roles.append(role)
            pieces.append(b"(" + group + b")")
        else:
            pieces.append(b"(?:" + group + b")")
        last = match.end()
    pieces.append(_literal(text[last:].rstrip()))
    if "status" not in roles or not {"time_local", "time_iso", "msec", "start"} & set(roles):
        raise UsageError(f"--log-format {plain(text)[:60]}: holds no status, or no time")
    fine = {"msec", "start"} & set(roles)
    return Pattern(re.compile(b"".join(pieces), re.DOTALL), roles, make, product, f"{product}-custom",
                   1e-3 if fine else 1.0)  # fmt: skip


def _literal(text: str) -> bytes:
    return re.escape(text.encode())


def _group(before: str, after: str) -> bytes:
    """What a variable may hold, from the characters around it."""
    if before.endswith('"') and after.startswith('"'):
        return rb'(?:[^"\\]|\\.)*'
    if before.endswith("[") and after.startswith("]"):
        return rb"[^\]]*"
    if after[:1] in ("", " "):
        return rb"[^\s,]*(?:(?:, | : )[^\s,]+)*"
    return rb"[^" + re.escape(after[0].encode()) + rb"]*"
