"""Is the control plane's telemetry endpoint open from a place of which it is known that it needs it? By contrast: the
host answers other requests, and this path is stopped. And: do endpoints answer that files switch off?"""

from __future__ import annotations

from btdiag.config.stated import SYSADMIN
from btdiag.core import evidence
from btdiag.core.answers import exchange_proofs, in_words
from btdiag.core.exchange import Exchange, Trouble
from btdiag.core.finding import Finding, HopName, Owner, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.target import Target
from btdiag.families.egress.facts import TELEMETRY, Egress, HostTrial
from btdiag.families.egress.judge.answers import is_block_page, is_stopped, own_words
from btdiag.families.telemetry.facts import SysadminAnswers
from btdiag.families.telemetry.remedy import GUIDE, SOURCES, open_path, switch_off

REACHABLE = "egress.required-hosts-reachable"


def endpoint_is_reachable(egress: Egress | NotMeasured, target: Target) -> Finding:
    """The claim of telemetry.endpoint-is-reachable."""
    if target.role != "data-plane":
        return Finding(
            verdict=Verdict.SKIP,
            summary="only the data plane's own place sends telemetry; to find out: --role data-plane",
        )
    if isinstance(egress, NotMeasured):
        return Finding(verdict=Verdict.INCONCLUSIVE, summary=egress.reason)
    trial = next((one for one in egress.trials if one.host.takes_telemetry), None)
    if trial is None:
        return Finding(verdict=Verdict.SKIP, summary="the web app's host was not tried from here")
    seen = trial.telemetry
    if seen is None or trial.answer is None or _stopped(trial.answer):
        return Finding(verdict=Verdict.SKIP, because=REACHABLE, summary=f"{trial.host.name} is not reached from here")
    if not _stopped(seen):
        return Finding(
            verdict=Verdict.PASS,
            summary=f"{trial.host.name}{TELEMETRY} answers {own_words(seen)}: nothing on the way stops it",
        )
    if trial.api is not None and is_stopped(trial.api):
        return Finding(
            verdict=Verdict.SKIP,
            because=REACHABLE,
            summary=f"{trial.host.name} answers / alone, and nothing below /api",
        )
    return _closed(seen, trial)


def _stopped(seen: Exchange) -> bool:
    """No answer, or that of a filter; the host's own page for a method that it does not take is no stop."""
    if seen.status is None:
        return seen.failure is not None and seen.failure.trouble is not Trouble.LOCAL
    return is_block_page(seen)


def _closed(seen: Exchange, trial: HostTrial) -> Finding:
    url = f"{trial.host.url.rstrip('/')}{TELEMETRY}"
    answer = trial.answer
    assert answer is not None
    rows = [("GET /", in_words(answer)), (f"GET {TELEMETRY}", in_words(seen))]
    if trial.api is not None:
        rows.insert(1, ("a login without a key", in_words(trial.api)))
    return Finding(
        verdict=Verdict.WARN,
        summary=f"telemetry does not leave this place: {trial.host.name} answers {in_words(answer)} to GET /, and"
        f" {TELEMETRY} gives {in_words(seen)}",
        answer="Telemetry cannot leave this place: support cannot see the data plane's state",
        hop=HopName.PROXY if trial.proxy else HopName.NETWORK,
        owner=Owner.PROXY if trial.proxy else Owner.NETWORK,
        expected="an answer of the control plane, whatever its status",
        seen=in_words(seen),
        evidence=(
            evidence.table(f"Requests to {trial.host.name}", ("request", "answer"), rows),
            *exchange_proofs(seen),
        ),
        remedy=open_path(url),
        sources=SOURCES,
    )


def sysadmin_endpoints_are_off(target: Target, seen: SysadminAnswers | NotMeasured) -> Finding:
    """The claim of telemetry.sysadmin-endpoints-are-off. The server is closed source: told is what was seen."""
    setting = next((one for one in target.settings if one.name == SYSADMIN), None)
    if setting is None:
        return Finding(
            verdict=Verdict.SKIP,
            summary="no file says that the sysadmin endpoints are off; to find out: --config PATH",
        )
    if isinstance(seen, NotMeasured):
        verdict = Verdict.SKIP if seen.skipped or seen.by is not None else Verdict.INCONCLUSIVE
        return Finding(verdict=verdict, summary=seen.reason, because=seen.by)
    answering = [(path, one) for path, one in seen.trials if _answers(one, seen.unknown)]
    if answering:
        return _still_on(setting.where, answering, seen)
    if all(one.status == seen.unknown.status == 404 for _, one in seen.trials):
        return Finding(
            verdict=Verdict.PASS,
            summary=f"the sysadmin endpoints are off in {setting.where}, and {len(seen.trials)} of them are answered"
            f" {in_words(seen.unknown)} without a key, as a path that does not exist",
        )
    path, one = next((item for item in seen.trials if item[1].status != 404), seen.trials[0])
    return Finding(
        verdict=Verdict.SKIP,
        summary=f"GET {path} is answered {in_words(one)} without a key: whether it is off cannot be told from that",
    )


def _answers(seen: Exchange, unknown: Exchange) -> bool:
    """An answer of its own; a server that answers 200 to everything shows nothing."""
    return seen.status is not None and 200 <= seen.status < 300 and unknown.status != seen.status


def _still_on(where: str, answering: list[tuple[str, Exchange]], seen: SysadminAnswers) -> Finding:
    path, first = answering[0]
    rows = [(f"GET {one}", in_words(answer)) for one, answer in seen.trials]
    rows.append(("GET a path that does not exist", in_words(seen.unknown)))
    return Finding(
        verdict=Verdict.WARN,
        summary=f"the sysadmin endpoints are off in {where}, and GET {path} answers {in_words(first)} without a key:"
        " the value is not in effect, or this endpoint is not one of those that it switches off",
        answer="An endpoint that the files switch off still answers, with metadata",
        hop=HopName.CONFIG,
        owner=Owner.API,
        expected=f"the answer of a path that does not exist ({in_words(seen.unknown)})",
        seen=in_words(first),
        evidence=(evidence.table("Requests without a key", ("request", "answer"), rows),),
        remedy=switch_off(),
        sources=(GUIDE,),
    )
