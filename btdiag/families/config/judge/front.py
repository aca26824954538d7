"""Does the front do what its files say: TLS versions, idle time, the name that it serves."""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase
from ipaddress import ip_address

from btdiag.config.stated import FRONT_IDLE, HOST, TLS_MINIMUM
from btdiag.core import evidence
from btdiag.core.finding import Finding, HopName, Owner, Remedy, Verdict
from btdiag.core.handshake import TlsVersions
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.target import DeclaredSetting, Target
from btdiag.families.config.judge.shared import declared_settings, nothing, single, unmeasured
from btdiag.families.config.remedy import ALB, align_tls, find_balancer, name_host
from btdiag.families.keepalive.facts import Fate, FrontIdle

_CDNS = ("Amazon CloudFront", "Azure Front Door", "Cloudflare", "Fastly")
TOLERANCE_S = 2.0  # timers are looked at now and then, and the last answer takes a moment


def tls_minimum_is_effective(target: Target, versions: TlsVersions | NotMeasured) -> Finding:
    """Is the oldest TLS version that is let through the one that the files name?"""
    setting = single(target, TLS_MINIMUM)
    if isinstance(setting, Finding):
        return setting
    if isinstance(versions, NotMeasured):
        return unmeasured(versions)
    accepted, refused = (
        [name.removeprefix("TLS ") for name in group] for group in (versions.accepted, versions.refused)
    )
    lax = [name for name in accepted if name < setting.value]
    strict = [name for name in refused if name >= setting.value and name < "1.3"]
    if not accepted:
        return Finding(verdict=Verdict.SKIP, summary="no TLS version was seen to be taken: nothing to compare with")
    if not lax and not strict:
        return Finding(
            verdict=Verdict.PASS,
            summary=f"TLS {setting.value} is the oldest in {setting.where}, and {versions.label} takes no older one",
        )
    what = f"takes TLS {lax[0]}" if lax else f"refuses TLS {strict[0]}"
    summary = f"TLS {setting.value} is the oldest in {setting.where}, and {versions.label} {what}"
    return _differs(
        summary=f"{summary}: not rolled out, or another load balancer in front",
        answer="The TLS versions that the files declare are not those that the load balancer takes",
        setting=setting,
        expected=f"TLS {setting.value} and later",
        seen=what,
        hop=HopName.TLS,
        rows=[
            (one.version, {True: "taken", False: "refused", None: "unknown"}[one.accepted]) for one in versions.trials
        ],
        remedy=align_tls(setting.where),
    )


def _differs(
    *,
    summary: str,
    answer: str,
    setting: DeclaredSetting,
    expected: str,
    seen: str,
    hop: HopName,
    rows: list[tuple[str, str]],
    remedy: Remedy,
) -> Finding:
    shown = [("declared", f"{setting.value} in {setting.where}"), *rows]
    return Finding(
        verdict=Verdict.WARN,
        summary=summary,
        answer=answer,
        hop=hop,
        owner=Owner.LOAD_BALANCER,
        expected=expected,
        seen=seen,
        evidence=(evidence.table("Declared and measured", ("what", "value"), shown),),
        remedy=remedy,
        sources=(ALB,),
    )


def idle_timeout_is_effective(
    target: Target, fronts: PerAddress[FrontIdle] | NotMeasured, passed: Collection[str] = ()
) -> Finding:
    """Do clients' idle connections end at the age that the files name? `passed` are the products that the answers
    came through: a CDN in front closes by a timer of its own, as it should."""
    setting = single(target, FRONT_IDLE)
    if isinstance(setting, Finding):
        return setting
    if isinstance(fronts, NotMeasured):
        return unmeasured(fronts)
    if cdn := next((name for name in passed if name in _CDNS), None):
        return Finding(
            verdict=Verdict.SKIP,
            summary=f"{cdn} stands in front, and closes clients' connections by its own timer: {setting} is of what"
            " stands behind it",
        )
    wanted = float(setting.value)
    early, late, as_said = [], [], []
    for front in fronts.facts.values():
        closings, alive = front.ages(Fate.FIN, Fate.RST), front.ages(Fate.ANSWERED)
        if closings and closings[-1] < wanted - TOLERANCE_S:
            early.append((front.label, f"closed after {closings[-1]:.2f} s"))
        elif (closings and closings[0] > wanted + TOLERANCE_S) or (alive and alive[-1] > wanted + TOLERANCE_S):
            late.append((front.label, f"open after {max((*closings, *alive)):.2f} s"))
        elif closings:
            as_said.append((front.label, f"closed after {closings[0]:.2f} s"))
    if early or late:
        return _other_idle(setting, early, late)
    if not as_said:
        return Finding(
            verdict=Verdict.SKIP,
            summary=f"the idle timeout is {wanted:g} s in {setting.where}, and no connection was idle for so long here",
        )
    return Finding(
        verdict=Verdict.PASS,
        summary=f"the idle timeout is {wanted:g} s in {setting.where}, and {as_said[0][0]} {as_said[0][1]}",
    )


def _other_idle(setting: DeclaredSetting, early: list[tuple[str, str]], late: list[tuple[str, str]]) -> Finding:
    label, what = (early or late)[0]
    meaning = (
        "the value is not in effect, or what stands in front closes first"
        if early
        else "the value is not in effect, or another load balancer stands in front"
    )
    return _differs(
        summary=f"the idle timeout is {setting.value} s in {setting.where}, and {label} {what}: {meaning}",
        answer="The load balancer does not keep idle connections as long as its files declare",
        setting=setting,
        expected=f"closed after {setting.value} s",
        seen=what,
        hop=HopName.LOAD_BALANCER,
        rows=[*early, *late],
        remedy=find_balancer(setting.where),
    )


def host_is_declared(target: Target) -> Finding:
    """Is the tested host one that the files serve?"""
    settings = declared_settings(target, HOST)
    if not settings:
        return nothing(target, HOST)
    if _is_no_name(target.host):
        return Finding(
            verdict=Verdict.SKIP, summary=f"{target.host} is no public name: a tunnel or an address leads anywhere"
        )
    fitting = next((one for one in settings if fnmatchcase(target.host, one.value)), None)
    if fitting is not None:
        return Finding(verdict=Verdict.PASS, summary=f"{target.host} is served by {fitting.where}")
    hosts = ", ".join(one.value for one in settings[:3])
    return _differs(
        summary=f"{target.host} is tested, and the files serve {hosts} ({settings[0].where}): what they declare may"
        " not be what answers here",
        answer="The files are those of another host than the one that is tested",
        setting=settings[0],
        expected=hosts,
        seen=target.host,
        hop=HopName.CONFIG,
        rows=[("tested", target.host)],
        remedy=name_host(hosts),
    )


def _is_no_name(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".cluster.local", ".svc"))
    return True
