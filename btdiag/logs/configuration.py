"""What an nginx configuration says that matters to its logs: the log formats, and how long upstreams are kept."""

from __future__ import annotations

import re
from dataclasses import dataclass

from btdiag.logs import clf
from btdiag.logs.house import UsageError, plain
from btdiag.logs.reading import opened_log

_MOST_BYTES = 4 << 20
_FORMAT = re.compile(r"\blog_format\s+(\S+)\s+(?:escape=(\w+)\s+)?((?:'(?:[^'\\]|\\.)*'\s*|\"(?:[^\"\\]|\\.)*\"\s*)+);")
_PART = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
_ACCESS = re.compile(r"\baccess_log\s+(\S+)\s+([\w-]+)\s*[;\s]")
_UPSTREAM = re.compile(r"\bupstream\s+\S+\s*\{([^{}]*)\}")
_KEPT = re.compile(r"\bkeepalive_timeout\s+(\d+(?:\.\d+)?)(ms|s|m|h)?")
_KEEPALIVE = re.compile(r"\bkeepalive\s+\d+")
_COMMENT = re.compile(r"(?m)(?<![\\\S])#.*$")
_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DEFAULT_S = 60.0  # keepalive_timeout of an upstream with keepalive (nginx.org, ngx_http_upstream_module)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """`pattern` reads the format that access_log names, None without a format of its own; `keepalive_timeout_s` is how
    long nginx keeps idle connections to upstreams, None where it keeps none."""

    pattern: clf.Pattern | None = None
    keepalive_timeout_s: float | None = None


def read_configuration(path: str) -> Stated:
    """What the file says. UsageError where it cannot be read or holds neither format nor upstream."""
    with opened_log(path) as file:
        text = file.read(_MOST_BYTES).decode("utf-8", "replace")
    return stated_in(text, path)


def stated_in(text: str, path: str = "nginx.conf") -> Stated:
    """The same from the text."""
    bare = _COMMENT.sub("", text)
    found = {match[1]: _joined(match[3]) for match in _FORMAT.finditer(bare)}
    used = [match[2] for match in _ACCESS.finditer(bare)]
    name = next((one for one in used if one in found), next(iter(found), None))
    kept = _kept(bare)
    if name is None and kept is None:
        raise UsageError(f"--config {plain(path)[:120]}: holds no log_format and no upstream with keepalive")
    return Stated(pattern=clf.of_format(found[name]) if name is not None else None, keepalive_timeout_s=kept)


def _joined(text: str) -> str:
    return "".join((one or other).replace(r"\"", '"').replace(r"\'", "'") for one, other in _PART.findall(text))


def _kept(text: str) -> float | None:
    for body in _UPSTREAM.findall(text):
        if _KEEPALIVE.search(body):
            given = _KEPT.search(body)
            return float(given[1]) * _UNIT[given[2] or "s"] if given else _DEFAULT_S
    return None
