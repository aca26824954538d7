"""The picture of the way: the stations from the client to the API, with what is known of each. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from btdiag.core.finding import HopName, Verdict
from btdiag.core.report import CheckResult, Hop
from btdiag.report.verdicts import DECIDED, by_path, findings, is_about_the_url_alone, not_waived, overall

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
    "browser": HopName.BROWSER,
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
_HOP_OF_RULE = {
    "browser.certificate-is-accepted": HopName.TLS,
    "browser.https-record-agrees": HopName.DNS,
    "browser.caches-keep-origins-apart": HopName.LOAD_BALANCER,
}
"""Rules of browsers that are judged without one, and so say nothing of the station "browser"."""
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
    if check.id in _HOP_OF_RULE:
        return _HOP_OF_RULE[check.id].value
    claim = check.id.partition(".")[2]
    if check.family == "connection":
        for word, hop in _HOP_OF_CLAIM:
            if claim.startswith(word):
                return hop.value
    return _HOP_OF_FAMILY.get(check.family, HopName.API).value


def _station_of(check: CheckResult) -> str:
    """Where a result stands in the picture: what is at fault on the way to another host is no station of this way."""
    hop = hop_of(check)
    elsewhere = check.family == "egress" and hop in {HopName.DNS, HopName.PROXY, HopName.NETWORK, HopName.TLS}
    return HopName.CONTROL_PLANE.value if elsewhere else hop


def path_of(checks: Sequence[CheckResult]) -> tuple[Hop, ...]:
    """The stations from the client to the API with what is known of each, then those that hang beside the way.

    A station without an observation of its own is "ok" when a later one was reached, "not reached" behind the first
    broken one, and "unknown" otherwise.
    """
    grouped: dict[str, list[CheckResult]] = {}
    for check in by_path(checks):
        if is_about_the_url_alone(check):
            continue  # a rule that the URL keeps is no observation at any station
        grouped.setdefault(_station_of(check), []).append(check)
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
    concerned = [check for check in not_waived(station.checks) if check.verdict is not Verdict.SKIP]
    finding = next(iter(findings(concerned)), None)
    return Hop(
        hop=station.name,
        state=_STATES.get(station.seen) or _state_unseen(station, stations),
        detail=finding.summary if finding else "",
        checks=tuple(check.id for check in concerned),
    )


def _state_unseen(station: _Station, stations: Sequence[_Station]) -> str:
    if station.name == HopName.CLIENT:
        return "ok" if any(each.seen in DECIDED for each in stations) else "unknown"
    if any(check.because for check in station.checks):
        return "not reached"
    way = [each for each in stations if each.name in MAIN_WAY]
    index = way.index(station) if station in way else len(way)
    before, after = way[:index], way[index + 1 :]
    if any(each.seen in DECIDED for each in after):
        return "ok"
    return "not reached" if any(each.seen is Verdict.FAIL for each in before) else "unknown"
