"""Which format a line is in: by its content, never by its file's name. A stream may hold several formats.

The parser that read the last line is asked first, so that a file of one format costs one expression a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Protocol

from btdiag.logs import clf
from btdiag.logs.event import UNRELATED, Event, Parser
from btdiag.logs.products import apache, aws, azure, caddy, cloudflare, envoy, google, haproxy, nginx, traefik, varnish
from btdiag.logs.quick import Quick

LONGEST = 1 << 20
"""Bytes of a line that are looked at: a 414 logs the whole URL; what is longer is no line of a log."""

_DEEPEST = 3  # wrappers around a line: a container's, a syslog's
_PREFIX = 400  # bytes in which a wrapper ends
_TRIES = 5_000  # lines that no known parser reads, before the search for others ends
_WRAPPED = re.compile(
    rb"^(?P<node>\[pod/\S+\] )?\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d) (?:stdout|stderr) [FP] "
    rb"|^(?P<pod>\[pod/\S+\]) |^(?P<service>[\w.-]{1,80}) {1,20}\| "
)
_SYSLOG = re.compile(
    rb"^(?:<\d{1,3}>)?(?:1 )?(?:\w{3} [ \d]\d [\d:]{8}|\d{4}-\d\d-\d\dT\S+) (?P<node>\S+) [\w./-]+(?:\[\d+\])?: "
)
"""What container runtimes and syslog put before a line; instances named there have pools of their own."""

_NOISE = re.compile(rb"^[IWEF]\d{4} [\d:.]{8,15} +\d+ \S+\.go:\d+\]|^-{20,}$")
"""What controllers write between the lines of the load balancer that they run (klog, banners)."""


class Records(Protocol):
    """Reads the records of one JSON format."""

    product: str
    format: str
    resolution_s: float
    replays: bool

    def accepts(self, record: Mapping[str, Any]) -> bool:
        """Whether the keys are those of this format."""
        ...

    def event(self, record: Mapping[str, Any]) -> Event | None:
        """The event of one record; None where it is none."""
        ...


class _NginxJson:
    """nginx with a log_format that writes JSON under the names of its variables."""

    product, format = "nginx", "nginx-json"
    resolution_s = 1.0
    replays = True

    def accepts(self, record: Mapping[str, Any]) -> bool:
        if "status" not in record or not any(name in record for name in ("request", "request_method", "request_uri")):
            return False
        return any(name in record for name in ("upstream_addr", "upstream_status", "request_time", "body_bytes_sent"))

    def event(self, record: Mapping[str, Any]) -> Event | None:
        fields = {
            clf.NGINX_ROLES[name]: str(value).encode("utf-8", "replace")
            for name, value in record.items()
            if name in clf.NGINX_ROLES and value is not None
        }
        if "msec" in fields:
            self.resolution_s = 1e-3
        elif "time_iso" not in fields and "time_local" not in fields:
            text = str(record.get("time", record.get("@timestamp", record.get("timestamp", "")))).encode()
            fields["time_local" if b"/" in text[:4] else "time_iso"] = text
        return nginx.nginx_event(fields)


def _records() -> list[Records]:
    return [
        caddy.AccessLog(), caddy.CaddyErrorLog(), traefik.TraefikJsonLog(), envoy.EnvoyJsonLog(),
        haproxy.HaproxyJsonLog(),
        google.CloudLogging(), azure.FrontDoor(), azure.AppGateway(), cloudflare.Logpush(), aws.ApiGateway(),
        _NginxJson(), traefik.ProgramLog(),
    ]  # fmt: skip


def _at(prefix: re.Match[bytes], found: Event | None) -> Event | None:
    """The event, with the instance that its wrapper names."""
    if found is not None and found is not UNRELATED and not found.node:
        found.node = next((name for name in prefix.groups() if name), b"")
    return found


class Reader:
    """Turns lines into events, and remembers which formats it met. One a file: some parsers carry state."""

    def __init__(self, given: Parser | None = None) -> None:
        self._texts: list[Parser] = [given] if given is not None else []
        self._given = given is not None
        self._records = _records()
        self._tries = 0
        self._prefix: re.Pattern[bytes] | None = None
        self.used: dict[str, Parser | Records] = {}
        self.counts: dict[str, int] = {}
        self.told: Parser | Records | None = None
        self.quick: Quick | None = None

    def parse(self, line: bytes, depth: int = 0) -> Event | None:
        """The event of a line; None for one that is cut or in no known format. `told` is the format that read it;
        `depth` counts what was put around it and is taken off already."""
        if len(line) > LONGEST or depth > _DEEPEST:
            return None
        if line[:1] == b"{":
            return self._json(line, depth)
        if self._prefix is not None and depth == 0:
            prefix = self._prefix.match(line[:_PREFIX])
            if prefix is not None:
                return _at(prefix, self.parse(line[prefix.end() :], depth + 1))
        for index, parser in enumerate(self._texts):
            found = parser.parse(line)
            if found is not None:
                if index:
                    self._texts.insert(0, self._texts.pop(index))
                return self._count(parser, found)
        return self._new(line, depth)

    def _count(self, parser: Parser | Records, found: Event) -> Event:
        name = parser.format
        self.told = parser
        self.quick = getattr(parser, "quick", None)  # only formats of text lines have one
        if found is not UNRELATED:
            self.counts[name] = self.counts.get(name, 0) + 1
        self.used[name] = parser
        return found

    def _json(self, line: bytes, depth: int) -> Event | None:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            return None
        if not isinstance(record, dict):
            return None
        inner = record.get("log") if "stream" in record else None
        if isinstance(inner, str) and len(record) <= 6:  # Docker's json-file
            return self.parse(inner.rstrip("\n").encode("utf-8", "replace"), depth + 1)
        for index, kind in enumerate(self._records):
            if kind.accepts(record):
                if index:
                    self._records.insert(0, self._records.pop(index))
                try:
                    found = kind.event(record)
                except (TypeError, ValueError, OverflowError, AttributeError, KeyError):
                    return None
                return None if found is None else self._count(kind, found)
        return None

    def _new(self, line: bytes, depth: int) -> Event | None:
        """A parser for a line that none has read so far, in the order from the most particular to the most general."""
        if _NOISE.match(line):
            return UNRELATED
        if self._tries > _TRIES:
            return None
        self._tries += 1
        for pattern in (_WRAPPED, _SYSLOG):
            prefix = pattern.match(line[:_PREFIX])
            if prefix and (pattern is _WRAPPED or b"haproxy[" not in prefix[0]):
                found = self.parse(line[prefix.end() :], depth + 1)
                if found is not None and self._prefix is None and depth == 0:
                    self._prefix = pattern
                return _at(prefix, found)
        if self._given:
            return None
        for parser in self._candidates(line):
            if any(type(parser) is type(known) and parser.format == known.format for known in self._texts) and (
                parser.format != "nginx-upstream"
            ):
                continue
            found = parser.parse(line)
            if found is not None:
                self._texts.insert(0, parser)
                return self._count(parser, found)
        return None

    def _candidates(self, line: bytes) -> list[Parser]:
        found: list[Parser] = [
            nginx.NginxErrorLog(), apache.ApacheErrorLog(), haproxy.HttpLog(), envoy.TextLog(), aws.Alb(),
            aws.CloudFront(), varnish.VarnishBackend(), varnish.Log(), varnish.Ncsa(), traefik.CommonLog(),
            traefik.ProgramText(), clf.ingress(),
        ]  # fmt: skip
        paired = clf.with_pairs(line)
        return [*found, *([paired] if paired is not None else []), clf.combined(), clf.common()]
