"""The kinds of failure in a file as counted rows: one for each set of kinds that fit. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from btdiag.logs.event import Event, Fits
from btdiag.logs.house import plain, redact_text
from btdiag.logs.joining import fits_by_all
from btdiag.logs.judging import JudgedFile
from btdiag.logs.products.common import path_class

MOST_LINES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRow:
    """One file's lines that fit the same kinds. `of` counts the file's requests (None in an error log), `sure` says
    that the file alone settles it; `k_s` is the idle age at which the backend closes, where it is proved."""

    kind: str
    fits: Fits
    sure: bool
    count: int
    of: int | None
    file: str
    events: tuple[Event, ...]
    ended: float = -inf
    k_s: float | None = None
    upstreams: Mapping[str, int] = field(default_factory=dict)
    methods: Mapping[str, int] = field(default_factory=dict)
    paths: Mapping[str, int] = field(default_factory=dict)

    @property
    def since(self) -> float:
        """When the first of them began."""
        return min(event.start for event in self.events)

    @property
    def until(self) -> float:
        """When the last of them ended."""
        return max(self.ended, max(event.end for event in self.events))

    @property
    def ages(self) -> list[float]:
        """The known idle ages in seconds, sorted."""
        return sorted(event.age for event in self.events if event.age is not None)


def rows_of(judged: JudgedFile) -> list[KindRow]:
    """The rows of one file, most lines first."""
    groups: dict[tuple[Fits, bool], list[Event]] = {}
    for event in judged.account.failures:
        groups.setdefault((fits_by_all(event), event.sure), []).append(event)
    more = _more(judged, groups)
    rows = [_row(judged, fits, sure, events, more.get((fits, sure), 0)) for (fits, sure), events in groups.items()]
    return sorted(rows, key=lambda row: (-row.count, row.kind))


def _more(judged: JudgedFile, groups: Mapping[tuple[Fits, bool], Sequence[Event]]) -> dict[tuple[Fits, bool], int]:
    """The lines that were too many to be kept, counted where most of their like went."""
    found = Counter[tuple[Fits, bool]]()
    for (fits, sure), count in judged.account.unkept.items():
        homes = [key for key in groups if set(key[0]) <= set(fits)] or list(groups)
        found[max(homes, key=lambda key: (key == (fits, sure), len(groups[key])))] += count
    return dict(found)


def _row(judged: JudgedFile, fits: Fits, sure: bool, events: Sequence[Event], more: int) -> KindRow:
    account = judged.account
    proved = judged.proved and judged.cluster is not None and fits[0] in ("race", "race_retried")
    return KindRow(
        kind=fits[0],
        fits=fits,
        sure=sure,
        count=len(events) + more,
        ended=account.unkept_until if more else -inf,
        of=account.requests or None,
        file=account.path,
        events=tuple(events),
        k_s=judged.cluster.k_s if proved and judged.cluster else None,
        upstreams=_tally(event.upstream for event in events),
        methods=_tally(event.method for event in events),
        paths=_tally(path_class(event.path) for event in events),
    )


def _tally(names: Iterable[bytes]) -> dict[str, int]:
    counts = Counter(names)
    counts.pop(b"", None)
    shown = Counter[str]()
    for name, count in counts.most_common(20):
        shown[plain(redact_text(name.decode("utf-8", "replace")[:120]))] += count
    return dict(shown)


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """The tenth, fiftieth and ninetieth percentile of sorted values."""
    if not values:
        return {}
    last = len(values) - 1
    return {name: round(values[round(last * share)], 3) for name, share in (("p10", 0.1), ("p50", 0.5), ("p90", 0.9))}
