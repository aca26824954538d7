"""A run of btdiag in the load balancer's log: which of its requests arrived, and the lines of those it lost. Pure.

Every request of a run says `btdiag/<version> (<run id>)` as its User-Agent. Its volleys of POSTs go to one path that
nobody else asks for, so that what was sent and what the log holds can be counted against each other.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from btdiag.logs import times
from btdiag.logs.account import FileAccount
from btdiag.logs.claims import ARRIVED, SAMPLED
from btdiag.logs.event import Event
from btdiag.logs.groups import kinds_in_words
from btdiag.logs.house import CheckResult, Evidence, Json, Remedy, Report, UsageError, Verdict, evidence, plain
from btdiag.logs.quoting import Quoter
from btdiag.logs.results import claim_result

_KEPT = 2_000  # lines of lost requests that are kept
_SHOWN = 12
_MOST_SHOTS = 1_000_000
_ID = re.compile(r"[0-9a-f]{8,64}")
_OWN_PATH = re.compile(r"/(?:v1/)?btdiag-[0-9a-f]{1,32}")
_NO_ANSWER = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedRun:
    """What a report tells of the run's requests. `begin` and `end` are seconds since 1970; `path` is that of the
    volleys, empty where there were none; `sent` counts their POSTs by the status of the answer, 0 for none."""

    id: str
    begin: float
    end: float
    path: str
    sent: Counter[int]

    @property
    def failed(self) -> int:
        """POSTs of the volleys that got an error of the load balancer's or no answer."""
        return sum(count for status, count in self.sent.items() if _is_failure(status))


def run_of(report: Report, place: str) -> ReportedRun:
    """The run of a report. UsageError where its values are not those that btdiag writes."""
    begin = times.iso(report.run.started_at.encode("utf-8", "replace"))
    if begin is None or not _ID.fullmatch(report.run.id):
        raise UsageError(f"--with {plain(place)}: holds no run with an id and a time")
    fact = next((record.fact for record in report.measurements if record.name == "race"), None)
    path = fact.get("path") if isinstance(fact, dict) else None
    own = isinstance(path, str) and _OWN_PATH.fullmatch(path) is not None
    sent = Counter(_statuses(fact)) if own else Counter[int]()
    return ReportedRun(id=report.run.id, begin=begin, end=begin + report.run.duration_s, path=str(path) if sent else "",
               sent=sent)  # fmt: skip


def _statuses(value: Json) -> Iterator[int]:
    """The status of each POST below a value of the report, 0 for one without an answer."""
    if isinstance(value, dict):
        if value.get("method") == "POST" and "ending" in value:
            status = value.get("status")
            if value["ending"] != "not sent":
                yield status if isinstance(status, int) and 100 <= status <= 599 else _NO_ANSWER
            return
        for each in value.values():
            yield from _statuses(each)
    elif isinstance(value, list):
        for each in value[:_MOST_SHOTS]:
            yield from _statuses(each)


def _is_failure(status: int) -> bool:
    return status == _NO_ANSWER or status >= 500


class RunSearch:
    """Looks for the requests of one run in one log. Memory is bounded."""

    def __init__(self, run: ReportedRun) -> None:
        self._mark, self._path = f"({run.id})".encode(), run.path.encode()
        self.agents = self.found = 0
        self.seen = Counter[int]()
        self.lost: list[Event] = []

    def see(self, event: Event) -> None:
        """Take one request in."""
        if event.agent in (b"", b"-"):
            return
        self.agents += 1
        if self._mark not in event.agent or b"btdiag/" not in event.agent:
            return
        self.found += 1
        ours = self._path and event.method == b"POST" and event.path.partition(b"?")[0].endswith(self._path)
        if not ours:
            return
        self.seen[event.status] += 1
        if (event.fits or _is_failure(event.status)) and len(self.lost) < _KEPT:
            self.lost.append(event)


def arrived(run: ReportedRun, accounts: Sequence[FileAccount], quoter: Quoter) -> CheckResult:
    """Whether the run's requests are in the logs."""
    watched = _one_view(accounts)
    found = sum(watch.found for _, watch in watched)
    if not any(watch.agents for _, watch in watched):
        return _said(Verdict.SKIP, "These logs hold no User-Agents, by which the requests of a run are known")
    if not found:
        return _none(run, [account for account, _ in watched])
    shown = _lines(watched, quoter)
    if not run.sent:
        said = f"{found:,} requests of run {run.id} are in the log; its report holds no volleys to count them against"
        return _said(Verdict.SKIP, said, shown)
    return _compared(run, watched, shown)


def _one_view(accounts: Sequence[FileAccount]) -> list[tuple[FileAccount, RunSearch]]:
    """The accounts of that format which shows most of the run: files in two formats tell of the same requests twice."""
    views: dict[tuple[str, str], list[tuple[FileAccount, RunSearch]]] = {}
    for account in accounts:
        if account.watch is not None:
            views.setdefault((account.product, account.format), []).append((account, account.watch))
    return max(
        views.values(), key=lambda view: (sum(one.found for _, one in view), sum(one.agents for _, one in view)),
        default=[],
    )  # fmt: skip


def _none(run: ReportedRun, accounts: Sequence[FileAccount]) -> CheckResult:
    moments = f"{times.shown(run.begin)} to {times.shown(run.end)}"
    whole = [one for one in accounts if one.first is not None and one.last is not None]
    if not any(one.first <= run.begin and one.last >= run.end for one in whole if one.first and one.last):
        return _said(Verdict.SKIP, f"The logs do not cover the time of run {run.id}, {moments}")
    said = (
        f"No request of run {run.id} is in the log, though it covers {moments}: this is not the load balancer that the"
        " run went through, what is in front of it replaces the User-Agent, or nothing arrived"
    )
    return _said(Verdict.INCONCLUSIVE, said)


def _compared(run: ReportedRun, watched: list[tuple[FileAccount, RunSearch]], shown: Sequence[Evidence]) -> CheckResult:
    """Answered requests that the log does not hold speak against the log; lost ones alone, against the way to it. The
    run sends some POSTs to the path outside of its volleys, so that fewer may seem to be missing than are."""
    seen = Counter[int]()
    for _, watch in watched:
        seen.update(watch.seen)
    answered = sum(run.sent.values()) - run.failed
    unseen = sum(max(count - seen[status], 0) for status, count in run.sent.items() if not _is_failure(status))
    others = sum(count for status, count in seen.items() if _is_failure(status)) + sum(
        max(count - run.sent[status], 0) for status, count in seen.items() if not _is_failure(status)
    )
    missing = max(run.failed - others, 0)
    if unseen:
        said = (
            f"{answered - unseen:,} of {answered:,} answered POSTs of run {run.id} are in the log: it is sampled, cut,"
            " or one of several, so that a lost request that is not in it proves nothing"
        )
        return _said(Verdict.INCONCLUSIVE, said, shown)
    counts = f"{run.failed:,} lost and {answered:,} answered POSTs of run {run.id}"
    if not missing:
        return _said(Verdict.PASS, f"All {counts} are in the log{_kinds(watched)}", shown)
    said = f"At least {missing:,} of the {run.failed:,} lost POSTs of run {run.id} are not in the log"
    if why := _blind([account for account, _ in watched]):
        return _said(Verdict.INCONCLUSIVE, f"{said}; {why}", shown)
    return _said(Verdict.FAIL, f"{said}, though all {answered:,} answered ones are", shown)


def _blind(accounts: Sequence[FileAccount]) -> str:
    """Why a request may have arrived without a line, if so."""
    if any(account.product == "haproxy" for account in accounts):
        return "HAProxy logs no line for some lost requests, so that they may have arrived"
    if any(account.format in SAMPLED for account in accounts):
        return "these logs may be a sample"
    if any(account.malformed for account in accounts):
        return "some lines could not be read"
    return ""


def _kinds(watched: list[tuple[FileAccount, RunSearch]]) -> str:
    kinds = Counter(
        kinds_in_words(event.joined or event.fits) for _, watch in watched for event in watch.lost if event.fits
    )
    return f": {', '.join(f'{count:,} {name}' for name, count in kinds.most_common(3))}" if kinds else ""


def _lines(watched: list[tuple[FileAccount, RunSearch]], quoter: Quoter) -> list[Evidence]:
    """The log's lines of the volleys' lost requests."""
    lost = [(account.path, event) for account, watch in watched for event in watch.lost]
    text = "\n".join(
        f"{plain(path)}:{event.line}: {kinds_in_words(event.joined or event.fits) if event.fits else 'not judged'}:"
        f" {quoter.text(event.raw)}"
        for path, event in lost[:_SHOWN]
    )
    return [evidence.text(f"The log's lines of requests that the run lost ({len(lost):,})", text)] if text else []


def _said(verdict: Verdict, said: str, shown: Sequence[Evidence] = ()) -> CheckResult:
    remedy = Remedy(text=f"{ARRIVED.action}.", action=ARRIVED.action) if verdict is Verdict.FAIL else None
    return claim_result(ARRIVED, verdict, said, evidence=shown, remedy=remedy)
