"""What follows from the results of checks: overall verdict, counts, root cause, headline, path picture, exit code.

Pure functions used once, when a report is made; formats show what they returned. Waived findings never count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from btdiag.core.finding import HopName, Verdict, worst
from btdiag.core.report import CheckResult, Hop, Report
from btdiag.report.documents import Document, reports_of

FAMILIES = (
    "dns",
    "connection",
    "readiness",
    "gateway",
    "cors",
    "lna",
    "keepalive",
    "egress",
    "sdk",
    "ratelimit",
    "audit",
    "brainstore",
    "telemetry",
    "retention",
    "config",
)
"""The families in the order in which a request meets what they test; users' own come after them."""

CRASH = "crash"
"""The kind of evidence that marks a check as undecided because btdiag itself broke."""

NOTHING_KNOWN = 3
_THRESHOLDS = {
    "fail": Verdict.FAIL.severity,
    "inconclusive": Verdict.INCONCLUSIVE.severity,
    "warn": Verdict.WARN.severity,
    "never": Verdict.FAIL.severity + 1,
}
_DECIDED = {Verdict.PASS, Verdict.WARN, Verdict.FAIL}


def counted(checks: Iterable[CheckResult]) -> list[CheckResult]:
    """The results that count: all but waived ones."""
    return [check for check in checks if check.waived is None]


def overall(checks: Iterable[CheckResult]) -> Verdict:
    """The worst verdict that counts; `skip` when there is none."""
    return worst(check.verdict for check in counted(checks))


def counts(checks: Iterable[CheckResult]) -> dict[str, int]:
    """How often each verdict was reached, all five always present, most severe first but `pass` leading."""
    found = [check.verdict for check in counted(checks)]
    order = (Verdict.PASS, Verdict.WARN, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.SKIP)
    return {verdict.value: found.count(verdict) for verdict in order}


def by_path(checks: Iterable[CheckResult]) -> list[CheckResult]:
    """Sorted by where on the way of a request they belong; the given order is kept within a family."""
    return sorted(checks, key=lambda check: _family_rank(check.family))


def by_severity(checks: Iterable[CheckResult]) -> list[CheckResult]:
    """Sorted for readers: the most severe first, then by path."""
    return sorted(by_path(checks), key=lambda check: -check.verdict.severity)


def findings(checks: Iterable[CheckResult]) -> list[CheckResult]:
    """What somebody has to look at: fail, inconclusive and warn that are not waived, most severe first."""
    return [check for check in by_severity(counted(checks)) if check.verdict.severity >= Verdict.WARN.severity]


def root_cause(checks: Iterable[CheckResult]) -> str | None:
    """The id of the failed check that comes first on the path; None without a failure."""
    failed = [check for check in by_path(counted(checks)) if check.verdict is Verdict.FAIL]
    return failed[0].id if failed else None


def crashed(check: CheckResult) -> bool:
    """Whether the check is undecided because btdiag itself broke."""
    return check.verdict is Verdict.INCONCLUSIVE and any(evidence.kind == CRASH for evidence in check.evidence)


def counts_at(check: CheckResult, fail_on: str) -> bool:
    """Whether this result alone makes a run fail at the given threshold (`--fail-on`)."""
    return check.waived is None and check.verdict.severity >= _THRESHOLDS[fail_on]


def nothing_known(checks: Sequence[CheckResult]) -> bool:
    """Whether the results tell nothing: a crash and no failure, or not one check decided though some were asked for."""
    if any(crashed(check) for check in counted(checks)):
        return root_cause(checks) is None
    return bool(checks) and not _any_decided(checks)


def _any_decided(checks: Iterable[CheckResult]) -> bool:
    return any(check.verdict in _DECIDED for check in checks)


def exit_code_of(checks: Sequence[CheckResult], fail_on: str) -> int:
    """0, 1 or 3 for the results of one target; 2 and 130 are not decided here.

    A warning that was asked to count (`fail_on`) outweighs a crash; undecided checks do not where
    nothing is known, for a finding and a blind run call for different people.
    """
    blind = nothing_known(checks)
    counting = [check for check in checks if counts_at(check, fail_on)]
    if any(not blind or check.verdict is not Verdict.INCONCLUSIVE for check in counting):
        return 1
    return NOTHING_KNOWN if blind else 0


def exit_code(document: Document, fail_on: str) -> int:
    """The exit code of a document, the same for every format: findings (1) outweigh not knowing (3)."""
    codes = {exit_code_of(report.checks, fail_on) for report in reports_of(document)}
    return next((code for code in (1, NOTHING_KNOWN) if code in codes), 0)


def _family_rank(family: str) -> int:
    return FAMILIES.index(family) if family in FAMILIES else len(FAMILIES)


# --- Headline ---------------------------------------------------------------------------------------------------------


TO_DO = "; what to do: "
"""What parts the cause from the remedy in a headline."""


def headline(checks: Sequence[CheckResult], *, url: str, addresses: int = 0) -> str:
    """One sentence: the root cause, the hop and what to do. `addresses` is how many answered, 0 if unknown."""
    if checks and not _any_decided(checks):
        return _headline_of_nothing(checks, url)
    found = findings(checks)
    if not found:
        return _headline_of_health(checks, url, addresses)
    first = next((check for check in found if check.id == root_cause(checks)), found[0])
    cause = _clause(first.summary.partition("; ")[0])  # what follows a semicolon is detail, and stands below
    return f"{_lead(first, found, checks)}: {cause}{_to_do(first)}"


def headline_of_set(reports: Sequence[Report]) -> str:
    """One sentence on several targets: how many are healthy, and the worst one's own headline."""
    healthy = sum(report.verdict in {Verdict.PASS, Verdict.SKIP} for report in reports)
    if healthy == len(reports):
        return f"Healthy: {_number(len(reports), 'target')} checked, no finding"
    worst_report = max(reports, key=lambda report: report.verdict.severity)
    return f"{len(reports) - healthy} of {_number(len(reports), 'target')} need attention: {worst_report.headline}"


_AT: Mapping[str, str] = {hop.value: f"the {hop.value}" for hop in HopName} | {
    HopName.DNS.value: "DNS",
    HopName.TLS.value: "TLS",
    HopName.API.value: "the API",
    HopName.BRAINSTORE.value: "Brainstore",
    HopName.CONFIG.value: "the configuration",
}
"""The hops as a sentence names them."""


def _lead(first: CheckResult, found: Sequence[CheckResult], checks: Sequence[CheckResult]) -> str:
    if first.verdict is Verdict.FAIL:
        return f"Broken at {_AT.get(hop_of(first), hop_of(first))}"
    if first.verdict is Verdict.WARN:
        return f"Works, with {_number(len(found), 'risk')}, the first at {_AT.get(hop_of(first), hop_of(first))}"
    broke = next((check for check in found if crashed(check)), None)
    cause = f"btdiag itself crashed in {broke.id} and " if broke else ""
    number = sum(check.verdict is Verdict.INCONCLUSIVE for check in found)
    share = f"{number} of {_number(len(counted(checks)), 'check')}"
    return f"No failure was seen, but {cause}{share} {'is' if number == 1 else 'are'} undecided"


def _headline_of_nothing(checks: Sequence[CheckResult], url: str) -> str:
    reason = by_severity(checks)[0]
    cause = f"btdiag itself crashed in {reason.id}" if crashed(reason) else "no check could be decided"
    return (
        f"Nothing is known about {url}: {cause} ({_number(len(checks), 'check')} asked for): {_clause(reason.summary)}"
    )


def _headline_of_health(checks: Sequence[CheckResult], url: str, addresses: int) -> str:
    passed = counts(checks)[Verdict.PASS.value]
    if not checks:
        return f"No check was asked for {url}"
    where = f"{_number(addresses, 'address')} of " if addresses else ""
    accepted = sum(check.waived is not None for check in checks)
    also = f", {_number(accepted, 'finding')} accepted" if accepted else ""
    return f"Healthy: {_number(passed, 'check')} passed on {where}{url}{also}"


def _to_do(check: CheckResult) -> str:
    return f"{TO_DO}{_clause(_first_sentence(check.remedy.text))}" if check.remedy and check.remedy.text else ""


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[a-z0-9)\"'`])[.!?]\s+(?=[A-Z])", text.strip(), maxsplit=1)[0]


def _clause(sentence: str) -> str:
    return " ".join(sentence.split()).rstrip(".")


def _number(count: int, noun: str) -> str:
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{count} {noun if count == 1 else plural}"


# --- Path picture -----------------------------------------------------------------------------------------------------

MAIN_WAY = (
    HopName.CLIENT,
    HopName.DNS,
    HopName.PROXY,
    HopName.NETWORK,
    HopName.TLS,
    HopName.LOAD_BALANCER,
    HopName.API,
)
"""What a request passes one after the other; the other hops hang beside it."""

_ALWAYS_THERE = {HopName.CLIENT, HopName.DNS, HopName.NETWORK, HopName.LOAD_BALANCER, HopName.API}
_HOP_OF_FAMILY: Mapping[str, HopName] = {
    "dns": HopName.DNS,
    "connection": HopName.NETWORK,
    "readiness": HopName.API,
    "gateway": HopName.LOAD_BALANCER,
    "cors": HopName.API,
    "lna": HopName.BROWSER,
    "keepalive": HopName.LOAD_BALANCER,
    "egress": HopName.NETWORK,
    "sdk": HopName.CLIENT,
    "ratelimit": HopName.API,
    "audit": HopName.API,
    "brainstore": HopName.BRAINSTORE,
    "telemetry": HopName.CONTROL_PLANE,
    "retention": HopName.API,
    "config": HopName.CONFIG,
}
_HOP_OF_CLAIM = (
    ("tls", HopName.TLS),
    ("certificate", HopName.TLS),
    ("proxy", HopName.PROXY),
    ("clocks", HopName.CLIENT),
)
_STATES = {Verdict.FAIL: "broken", Verdict.INCONCLUSIVE: "unknown", Verdict.WARN: "warn", Verdict.PASS: "ok"}


@dataclass(frozen=True, slots=True)
class _Station:
    name: str
    checks: tuple[CheckResult, ...]

    @property
    def seen(self) -> Verdict:
        return overall(self.checks)


def hop_of(check: CheckResult) -> str:
    """The hop that a result speaks of: its own, else the usual one of its family and claim; users' own are "api"."""
    if check.hop:
        return str(check.hop)
    claim = check.id.partition(".")[2]
    if check.family == "connection":
        for word, hop in _HOP_OF_CLAIM:
            if claim.startswith(word):
                return hop.value
    return _HOP_OF_FAMILY.get(check.family, HopName.API).value


def path(checks: Sequence[CheckResult]) -> tuple[Hop, ...]:
    """The stations from the client to the API with what is known of each, then those that hang beside the way.

    A station without an observation of its own is "ok" when a later one was reached, "not reached" behind the first
    broken one, and "unknown" otherwise.
    """
    grouped: dict[str, list[CheckResult]] = {}
    for check in by_path(checks):
        grouped.setdefault(hop_of(check), []).append(check)
    stations = [_Station(name, tuple(grouped.get(name, ()))) for name in _names(grouped)]
    return tuple(_hop(station, stations) for station in stations if _belongs(station))


def _names(grouped: Mapping[str, object]) -> list[str]:
    known = [hop.value for hop in HopName]
    return [*known, *(name for name in grouped if name not in known)]


def _belongs(station: _Station) -> bool:
    """Whether the picture shows it: the usual stations always, others when a check had something to do with them."""
    if station.name in _ALWAYS_THERE:
        return True
    if any(check.verdict is not Verdict.SKIP for check in station.checks):
        return True
    # A blocked check tells that the hop would come; not so the proxy's, which stands in every report.
    return station.name != HopName.PROXY and any(check.because for check in station.checks)


def _hop(station: _Station, stations: Sequence[_Station]) -> Hop:
    concerned = [check for check in counted(station.checks) if check.verdict is not Verdict.SKIP]
    finding = next(iter(findings(concerned)), None)
    return Hop(
        hop=station.name,
        state=_STATES.get(station.seen) or _state_unseen(station, stations),
        detail=finding.summary if finding else "",
        checks=tuple(check.id for check in concerned),
    )


def _state_unseen(station: _Station, stations: Sequence[_Station]) -> str:
    if station.name == HopName.CLIENT:
        return "ok" if any(each.seen in _DECIDED for each in stations) else "unknown"
    if any(check.because for check in station.checks):
        return "not reached"
    way = [each for each in stations if each.name in MAIN_WAY]
    index = way.index(station) if station in way else len(way)
    before, after = way[:index], way[index + 1 :]
    if any(each.seen in _DECIDED for each in after):
        return "ok"
    return "not reached" if any(each.seen is Verdict.FAIL for each in before) else "unknown"
