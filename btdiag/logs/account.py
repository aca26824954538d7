"""What one pass over one file gathers: counts, failing requests, idle ages, what happened when. Memory is bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from btdiag.logs.ages import Ages, bin_of
from btdiag.logs.event import UNRELATED, Event, Parser
from btdiag.logs.products.common import path_class
from btdiag.logs.recognition import Reader

MOST_FAILURES = 200_000
"""Failing lines that are kept whole; of more, only how many there were."""

_MOST_NAMES = 500  # upstreams, paths: what comes after them is counted together
_RETRIED = 50_000
_QUOTED, _LONGEST_QUOTE = 5_000, 1_200  # failing lines whose text is kept, and how much of each
_EXAMPLES = 5
_KEEPS_AFTER = frozenset({"app_5xx", "rate_limited", "cors_preflight_refused"})
_NEVER_SENT = frozenset(
    {"refused", "no_healthy_target", "upstream_dns", "tls_to_backend", "connect_timeout", "overload"}
)
_LONGEST_HISTORY = 20_000
_OTHER = b"(others)"


class Account:
    """All that is known of one file after one pass. `node` is that of the file's name where it holds one."""

    def __init__(self, path: str, node: str = "", given: Parser | None = None) -> None:
        self.path = path
        self.node = node
        self.lines = self.requests = self.malformed = self.entries = 0
        self.malformed_lines: list[int] = []
        self.first: float | None = None
        self.last: float | None = None
        self.failures: list[Event] = []
        self.unkept: Counter[str] = Counter()
        self.retried: list[Event] = []
        self.retries = 0
        self.good_ages: Counter[int] = Counter()
        self.good = 0
        self.fresh = 0
        self.methods: Counter[bytes] = Counter()
        self.good_by_upstream: Counter[bytes] = Counter()
        self.good_by_path: Counter[bytes] = Counter()
        self.requests_by_upstream: Counter[bytes] = Counter()
        self.minutes: Counter[int] = Counter()
        self.without_origin: list[Event] = []
        self.with_origin = 0
        self.resolution_s = 1e-3
        self.product = self.format = ""
        self.formats: dict[str, int] = {}
        self.reader = Reader(given)
        self._ages: Ages | None = None
        self._last_good: dict[bytes, float] = {}
        self._waiting: dict[bytes, list[Event]] = {}

    def read(
        self, records: Iterable[tuple[int, bytes]], since: float | None = None, until: float | None = None
    ) -> None:
        """Take all records in, (line number, bytes) each; those outside of the time range are not counted."""
        parse = self.reader.parse
        for number, record in records:
            self.lines = number + record.count(b"\n")
            event = parse(record)
            if event is None:
                self._malformed(number, record)
                continue
            if (
                event is UNRELATED
                or (since is not None and event.end < since)
                or (until is not None and event.start > until)
            ):
                continue
            event.line = number
            if event.fits and len(self.failures) < _QUOTED:
                event.raw = record[:_LONGEST_QUOTE]
            self._take(event)
        self._close()

    def _malformed(self, number: int, record: bytes) -> None:
        if not record.strip():
            return
        self.malformed += 1
        if len(self.malformed_lines) < _EXAMPLES:
            self.malformed_lines.append(number)

    def _take(self, event: Event) -> None:
        end = event.end
        if self.first is None or event.start < self.first:
            self.first = event.start
        if self.last is None or end > self.last:
            self.last = end
        if not event.is_request:
            self.entries += 1
            if event.fits:
                self._failed(event)
            return
        self.requests += 1
        self.methods[event.method if len(event.method) <= 8 else _OTHER] += 1
        if len(self.minutes) < _LONGEST_HISTORY:
            self.minutes[int(end) // 60] += 1
        self._follow(event)
        if event.fits:
            self._failed(event)
            return
        self._succeeded(event)

    def _follow(self, event: Event) -> None:
        """The idle age of its connection, where it went to the backend at all."""
        fits = event.fits
        if fits and (fits[0] in _NEVER_SENT or (event.made_by_backend is False and fits[0] == "rate_limited")):
            return
        if not fits and event.made_by_backend is False:
            return
        if self._ages is None:
            told = self.reader.told
            self._ages = Ages(replays=told.replays if told is not None else False)
        keeps = not fits or fits[0] in _KEEPS_AFTER
        event.age = self._ages.visit(event, keeps=keeps)

    def _succeeded(self, event: Event) -> None:
        if event.text == b"no origin status":
            self.without_origin.append(event)
        elif event.status < 400:
            self.with_origin += 1
        self.good += 1
        upstream = event.upstream
        if upstream in self.good_by_upstream or len(self.good_by_upstream) < _MOST_NAMES:
            self.good_by_upstream[upstream] += 1
        name = path_class(event.path)
        if name in self.good_by_path or len(self.good_by_path) < _MOST_NAMES:
            self.good_by_path[name] += 1
        if len(self._last_good) < _MOST_NAMES or upstream in self._last_good:
            self._last_good[upstream] = event.start
        waiting = self._waiting.pop(upstream, None) if self._waiting else None
        for failed in waiting or ():
            failed.next_good = event.start
        if event.retried:
            self.retries += 1
            if len(self.retried) < _RETRIED:
                self.retried.append(event)
        elif event.age is not None:
            self.good_ages[bin_of(event.age)] += 1
        else:
            self.fresh += 1

    def _failed(self, event: Event) -> None:
        if len(self.failures) >= MOST_FAILURES:
            self.unkept[event.fits[0]] += 1
            return
        event.last_good = self._last_good.get(event.upstream)
        if len(self._waiting) < _MOST_NAMES:
            self._waiting.setdefault(event.upstream, []).append(event)
        self.failures.append(event)

    @property
    def names_connections(self) -> bool:
        """Whether idle ages are those of the very connection, not replayed."""
        return self._ages is not None and self._ages.exact

    def _close(self) -> None:
        used = self.reader.counts
        self.formats = dict(sorted(used.items(), key=lambda pair: -pair[1]))
        name = next(iter(self.formats), next(iter(self.reader.used), ""))
        if name:
            parser = self.reader.used[name]
            self.product, self.format, self.resolution_s = parser.product, parser.format, parser.resolution_s
        self._unserved()

    def _unserved(self) -> None:
        """Where others have the origin's status and one answer has none, it was cut off. A middleware that hides the
        status hides it always (Traefik's buffering, retry)."""
        if len(self.without_origin) * 2 < self.with_origin:
            for event in self.without_origin:
                event.fits = ("cut_midbody",)
                self.failures.append(event)
            self.failures.sort(key=lambda one: one.line)
