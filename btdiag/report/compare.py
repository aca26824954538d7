"""What changed between two reports of a target: what got worse, what is fixed, and what makes them hard to compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from btdiag.core.finding import Verdict
from btdiag.core.report import CheckResult, Report
from btdiag.report import verdicts
from btdiag.report.documents import Document, ReportFileError, reports_of, url_of
from btdiag.report.merge import place_in_words
from btdiag.report.words import options_in_words


class ChangeKind(StrEnum):
    """How a check changed; the order is that of readers' interest."""

    WORSE = "worse"
    NEW = "new"
    UNDECIDED = "undecided now"
    FIXED = "fixed"
    BETTER = "better"
    ACCEPTED = "accepted now"
    UNCHECKED = "not checked now"
    CHECKED = "checked now"
    SAME = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One check in both reports; `old` or `new` is "" where it was not in the report."""

    id: str
    kind: ChangeKind
    old: str
    new: str
    summary: str
    was: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeChange:
    """A measurement that took longer or shorter than noise explains. Times in seconds."""

    name: str
    old_s: float
    new_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two reports of one target. `notes` tell what else differs between them, and are to be read first."""

    target: str
    notes: tuple[str, ...]
    changes: tuple[Change, ...]
    times: tuple[TimeChange, ...]

    @property
    def worse(self) -> bool:
        """Whether something got worse: a verdict fell, or a failure appeared that was not looked for before."""
        return any(change.kind is ChangeKind.WORSE or _new_failure(change) for change in self.changes)

    @property
    def headline(self) -> str:
        """How many checks changed in which way, in one line."""
        told = [f"{count} {kind}" for kind in ChangeKind if (count := sum(each.kind is kind for each in self.changes))]
        return f"{'Worse' if self.worse else 'Not worse'}: {', '.join(told) or 'no checks'} on {self.target}"


_NOISE_RATIO, _NOISE_S = 1.5, 0.25
"""A time changed when it did by half and by a quarter of a second: connection set-up on a busy machine varies less."""


class DifferentTargetsError(ReportFileError):
    """The two documents are not of the same targets."""


def compared(old: Document, new: Document) -> tuple[Comparison, ...]:
    """A comparison for each target, in the order of `new`; raises DifferentTargetsError unless both are of the same."""
    before, after = ({url_of(report): report for report in reports_of(document)} for document in (old, new))
    if before.keys() != after.keys():
        raise DifferentTargetsError(f"different targets: {', '.join(sorted(before))} and {', '.join(sorted(after))}")
    return tuple(compare_reports(before[url], report) for url, report in after.items())


def compare_reports(old: Report, new: Report) -> Comparison:
    """The comparison of two reports that are known to be of one target."""
    before, after = ({check.id: check for check in report.checks} for report in (old, new))
    ids = [check.id for check in verdicts.by_path({**before, **after}.values())]
    changes = [_change(check_id, before.get(check_id), after.get(check_id)) for check_id in ids]
    order = list(ChangeKind)
    return Comparison(
        target=url_of(new),
        notes=tuple(_notes(old, new)),
        changes=tuple(sorted(changes, key=lambda change: order.index(change.kind))),
        times=tuple(_times(old, new)),
    )


def _change(check_id: str, old: CheckResult | None, new: CheckResult | None) -> Change:
    return Change(
        id=check_id,
        kind=_kind(old, new),
        old=_said(old),
        new=_said(new),
        summary=new.summary if new else "",
        was=old.summary if old else "",
    )


def _said(check: CheckResult | None) -> str:
    if check is None:
        return ""
    return check.verdict.value if check.waived is None else f"{check.verdict}, accepted"


_FINDINGS = frozenset({Verdict.FAIL, Verdict.WARN})


def _kind(old: CheckResult | None, new: CheckResult | None) -> ChangeKind:
    before, after = _decided(old), _decided(new)
    if new is not None and new.waived is not None:
        return ChangeKind.ACCEPTED if before in _FINDINGS else ChangeKind.SAME
    if old is not None and old.waived is not None and after is Verdict.PASS:
        return ChangeKind.FIXED
    if before is None or after is None:
        return _kind_of_appearing(before, after)
    return _kind_of_verdicts(before, after)


def _decided(check: CheckResult | None) -> Verdict | None:
    """The verdict that counts: None for what was not checked, or is an accepted finding."""
    return None if check is None or check.verdict is Verdict.SKIP or check.waived is not None else check.verdict


def _kind_of_appearing(before: Verdict | None, after: Verdict | None) -> ChangeKind:
    if after is None:
        return ChangeKind.SAME if before is None else ChangeKind.UNCHECKED
    return ChangeKind.NEW if after in _FINDINGS else ChangeKind.CHECKED


def _kind_of_verdicts(before: Verdict, after: Verdict) -> ChangeKind:
    if before is after:
        return ChangeKind.SAME
    if after is Verdict.PASS:
        return ChangeKind.FIXED
    if after is Verdict.INCONCLUSIVE and before is Verdict.FAIL:
        return ChangeKind.UNDECIDED
    return ChangeKind.WORSE if after.severity > before.severity else ChangeKind.BETTER


def _new_failure(change: Change) -> bool:
    return change.kind is ChangeKind.NEW and change.new == Verdict.FAIL


def _notes(old: Report, new: Report) -> list[str]:
    pairs: Mapping[str, tuple[object, object]] = {
        "place": (place_in_words(old), place_in_words(new)),
        "btdiag version": (old.tool_version, new.tool_version),
        "options": (dict(old.run.options), dict(new.run.options)),
        "target settings": (dict(old.target), dict(new.target)),
        "interrupted": (old.run.interrupted, new.run.interrupted),
    }
    return [
        f"different {name}: {_short(before)} then, {_short(after)} now"
        for name, (before, after) in pairs.items()
        if before != after
    ]


def _short(value: object) -> str:
    if isinstance(value, dict):
        return options_in_words(value) or "none"
    return str(value)


def _times(old: Report, new: Report) -> list[TimeChange]:
    before = {record.name: record.duration_s for record in old.measurements if record.missing is None}
    pairs = [
        TimeChange(name=record.name, old_s=before[record.name], new_s=record.duration_s)
        for record in new.measurements
        if record.name in before and record.missing is None
    ]
    return [pair for pair in pairs if _beyond_noise(pair.old_s, pair.new_s)]


def _beyond_noise(old: float, new: float) -> bool:
    return abs(new - old) > _NOISE_S and max(old, new) > _NOISE_RATIO * min(old, new)


def got_worse(comparisons: Sequence[Comparison]) -> bool:
    """Whether any target got worse: what `btdiag compare` exits with 1 for."""
    return any(comparison.worse for comparison in comparisons)
