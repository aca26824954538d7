"""What one pass over one file gathers: counts, failing requests, idle ages, what happened when. Memory is bounded."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable
from math import inf
from typing import TYPE_CHECKING

from btdiag.logs.ages import BINS_PER_S, FINEST_S, Ages, bin_of
from btdiag.logs.event import UNRELATED, Event, Fits, Parser
from btdiag.logs.products.common import path_class
from btdiag.logs.quick import Quick
from btdiag.logs.recognition import Reader

if TYPE_CHECKING:
    from btdiag.logs.runs import RunSearch

MOST_FAILURES = 40_000
"""Failing lines that are kept whole; of more, only how many there were."""

_MOST_NAMES = 500  # upstreams, paths: what comes after them is counted together
_RETRIED = 50_000
_QUOTED, _LONGEST_QUOTE = 5_000, 1_200  # failing lines whose text is kept, and how much of each
_EXAMPLES = 5
_KEEPS_AFTER = frozenset({"app_5xx", "rate_limited", "cors_preflight_refused"})
_NEVER_SENT = frozenset(
    {"refused", "no_healthy_target", "upstream_dns", "tls_to_backend", "connect_timeout", "overload"}
)
_OTHER = b"(others)"


class FileAccount:
    """All that is known of one file after one pass. `node` is that of the file's name where it holds one."""

    def __init__(self, path: str, node: str = "", given: Parser | None = None, watch: RunSearch | None = None) -> None:
        self.path = path
        self.watch = watch
        self.node = node
        self.lines = self.requests = self.malformed = self.entries = 0
        self.malformed_lines: list[int] = []
        self.first: float | None = None
        self.last: float | None = None
        self._begin, self._end = inf, -inf
        self.failures: list[Event] = []
        self.unkept: Counter[tuple[Fits, bool]] = Counter()
        self.unkept_until = -inf
        self.retried: list[Event] = []
        self.retries = 0
        self.good_ages: Counter[int] = Counter()
        self.good = self.quick = 0
        self.fresh = 0
        self.methods: Counter[bytes] = Counter()
        self.good_by_upstream: Counter[bytes] = Counter()
        self.good_by_path: Counter[bytes] = Counter()
        self.fastest: dict[bytes, float] = {}
        self.without_origin: list[Event] = []
        self.with_origin = 0
        self.resolution_s = 1e-3
        self.product = self.format = ""
        self.names_connections = False  # idle ages are those of the very connection, not replayed
        self.formats: dict[str, int] = {}
        self.reader = Reader(given)
        self._ages = Ages(replays=True)
        self._last_good: dict[bytes, tuple[float, float]] = {}
        self._waiting: dict[bytes, list[Event]] = {}

    def read(
        self, records: Iterable[tuple[int, bytes]], since: float | None = None, until: float | None = None
    ) -> None:
        """Take all records in, (line number, bytes) each; those outside of the time range are not counted."""
        reader = self.reader
        whole = since is None and until is None and self.watch is None
        for number, record in records:
            fast = reader.quick if whole else None
            if fast is not None and (match := fast.match(record)) is not None:
                self._good(fast, match.groups(), number)
                continue
            self.lines = number + record.count(b"\n")
            event = reader.parse(record)
            if event is None:
                self._malformed(number, record)
                continue
            outside = (since is not None and event.end < since) or (until is not None and event.start > until)
            if event is UNRELATED or outside:
                continue
            event.line = number
            if event.fits and len(self.failures) < _QUOTED:
                event.raw = record[:_LONGEST_QUOTE]
            self._take(event)
        self._close()

    def _good(self, fast: Quick, groups: tuple[bytes, ...], number: int) -> None:
        """A plainly good line, as `_take` would have it, without the making of an event."""
        span = fast.span(groups)
        self.lines = number
        if span is None:
            self._malformed(number, groups[0])
            return
        begin, end = span
        if end > self._end:
            self._end = end
        if begin < self._begin:
            self._begin = begin
        self.quick += 1
        self.methods[groups[fast.method]] += 1
        upstream = pool = groups[fast.upstream] if fast.upstream >= 0 else b""
        if fast.node >= 0:
            pool = (groups[fast.node] or b"") + upstream
        connection = groups[fast.connection] if fast.connection >= 0 else b""
        age = self._ages.ride(pool, connection, begin, end)
        self.good += 1
        if age is not None and upstream in self.good_by_upstream and not self._waiting:
            self.good_by_upstream[upstream] += 1
            self._last_good[upstream] = span
            if end - begin < self.fastest[upstream]:
                self.fastest[upstream] = end - begin
            self.good_ages[int(age * BINS_PER_S) if age < FINEST_S else bin_of(age)] += 1
        else:
            self._count_good(upstream, span, age)
        if fast.path >= 0:
            self._count_path(groups[fast.path])

    def _malformed(self, number: int, record: bytes) -> None:
        if not record.strip():
            return
        self.malformed += 1
        if len(self.malformed_lines) < _EXAMPLES:
            self.malformed_lines.append(number)

    def _take(self, event: Event) -> None:
        end = event.end
        if event.start < self._begin:
            self._begin = event.start
        if end > self._end:
            self._end = end
        counts = self.watch is None or self.watch.counts(event)
        if not event.is_request:
            self.entries += counts
            if event.fits and counts:
                self._failed(event)
            return
        self._follow(event)
        if self.watch is not None:
            self.watch.see(event)
        if not counts:
            return
        self.requests += 1
        self.methods[event.method if len(event.method) <= 8 else _OTHER] += 1
        if event.fits:
            self._failed(event)
            return
        self._succeeded(event)

    def _follow(self, event: Event) -> None:
        """The idle age of its connection, where it went to the backend at all."""
        fits = event.fits
        never_sent = bool(fits) and (
            fits[0] in _NEVER_SENT or (event.made_by_backend is False and fits[0] == "rate_limited")
        )
        if never_sent and "race" not in fits:
            return
        if not fits and event.made_by_backend is False:
            return
        told = self.reader.told
        self._ages.replays = told is not None and told.replays
        keeps = not fits or fits[0] in _KEEPS_AFTER
        event.age = self._ages.ride(
            event.node + event.upstream, event.connection, event.start, event.end, keeps, event.fresh is True
        )

    def _succeeded(self, event: Event) -> None:
        if event.text == b"no origin status":
            self.without_origin.append(event)
        elif event.status < 400:
            self.with_origin += 1
        self.good += 1
        self._count_path(path_class(event.path))
        if event.retried:
            self.retries += 1
            if len(self.retried) < _RETRIED:
                self.retried.append(event)
        self._count_good(event.upstream, (event.start, event.end), event.age, counts_age=not event.retried)

    def _count_path(self, name: bytes) -> None:
        if name in self.good_by_path or len(self.good_by_path) < _MOST_NAMES:
            self.good_by_path[name] += 1

    def _count_good(
        self, upstream: bytes, span: tuple[float, float], age: float | None, *, counts_age: bool = True
    ) -> None:
        if upstream in self.good_by_upstream or len(self.good_by_upstream) < _MOST_NAMES:
            self.good_by_upstream[upstream] += 1
            self._last_good[upstream] = span
            self.fastest[upstream] = min(self.fastest.get(upstream, inf), span[1] - span[0])
        if self._waiting:
            for failed in self._waiting.pop(upstream, ()):
                failed.next_good = span[0]
                failed.pace = max(failed.pace, _pace(failed, span))
        if not counts_age:
            return
        if age is None:
            self.fresh += 1
        else:
            self.good_ages[bin_of(age)] += 1

    def _failed(self, event: Event) -> None:
        if len(self.failures) >= MOST_FAILURES:
            self.unkept[event.fits, event.sure] += 1
            self.unkept_until = max(self.unkept_until, event.end)
            return
        if (before := self._last_good.get(event.upstream)) is not None:
            event.last_good, event.pace = before[0], _pace(event, before)
        if len(self._waiting) < _MOST_NAMES:
            self._waiting.setdefault(event.upstream, []).append(event)
        self.failures.append(event)

    def reaches(self, moment: float) -> bool:
        """Whether something was read that ended later."""
        return self._end > moment

    def snapshot(self) -> FileAccount:
        """What is known so far, as if the file ended here; it can be judged while this one is read on."""
        found = copy.deepcopy(self)  # without the readers
        found.reader = copy.copy(self.reader)
        found.reader.counts = dict(self.reader.counts)
        found._close()
        return found

    def prime(self, lines: Iterable[bytes]) -> None:
        """Let the reader know the formats from a file's first lines, which are counted elsewhere."""
        for line in lines:
            self.reader.parse(line)
        self.reader.counts.clear()

    def absorb(self, later: FileAccount) -> None:
        """Take in what came after it in the same file, and was read by itself."""
        for event in (*later.failures, *later.retried):
            event.line += self.lines
        self.malformed_lines = [*self.malformed_lines, *(line + self.lines for line in later.malformed_lines)][
            :_EXAMPLES
        ]
        for name in ("lines", "requests", "malformed", "entries", "retries", "good", "quick", "fresh", "with_origin"):
            setattr(self, name, getattr(self, name) + getattr(later, name))
        for name in ("unkept", "good_ages", "methods", "good_by_upstream", "good_by_path"):
            getattr(self, name).update(getattr(later, name))
        for upstream, took in later.fastest.items():
            self.fastest[upstream] = min(self.fastest.get(upstream, inf), took)
        room = MOST_FAILURES - len(self.failures)
        self.unkept.update((event.fits, event.sure) for event in later.failures[room:])
        ends = (event.end for event in later.failures[room:])
        self.unkept_until = max(self.unkept_until, later.unkept_until, *ends)
        self.failures += later.failures[:room]
        self.retried += later.retried
        self.first = min((one for one in (self.first, later.first) if one is not None), default=None)
        self.last = max((one for one in (self.last, later.last) if one is not None), default=None)
        formats = Counter(self.formats)
        formats.update(later.formats)
        self.formats = dict(formats.most_common())
        if not self.product:
            self.product, self.format, self.resolution_s = later.product, later.format, later.resolution_s
        self.names_connections = self.names_connections or later.names_connections

    def __getstate__(self) -> dict[str, object]:
        """What another process may have: all but the readers."""
        left: dict[str, object] = {"reader": None, "_waiting": {}, "_last_good": {}}
        return {**self.__dict__, **left}

    def _close(self) -> None:
        self.requests += self.quick
        if self._end >= self._begin:
            self.first, self.last = self._begin, self._end
        used = self.reader.counts
        if self.quick and self.reader.told is not None:
            used[self.reader.told.format] = used.get(self.reader.told.format, 0) + self.quick
        self.formats = dict(sorted(used.items(), key=lambda pair: -pair[1]))
        name = next(iter(self.formats), next(iter(self.reader.used), ""))
        if name:
            parser = self.reader.used[name]
            self.product, self.format, self.resolution_s = parser.product, parser.format, parser.resolution_s
        self.names_connections = self._ages.exact
        self._unserved()

    def _unserved(self) -> None:
        """Where others have the origin's status and one answer has none, it was cut off. A middleware that hides the
        status hides it always (Traefik's buffering, retry)."""
        if len(self.without_origin) * 2 < self.with_origin:
            for event in self.without_origin:
                event.fits = ("cut_midbody",)
                self.failures.append(event)
            self.failures.sort(key=lambda one: one.line)


def _pace(failed: Event, span: tuple[float, float]) -> float:
    """How long a good request took that was under way beside a failed one; 0 for one of another time."""
    begin, end = span
    return end - begin if begin <= failed.end and end >= failed.start else 0.0
