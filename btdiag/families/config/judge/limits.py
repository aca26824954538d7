"""Does the front take bodies, and wait for answers, as its files declare."""

from __future__ import annotations

from btdiag.config.stated import BODY_LIMIT, READ_TIMEOUT
from btdiag.core import evidence
from btdiag.core.answers import exchange_proofs, in_words
from btdiag.core.finding import Finding, HopName, Owner, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.target import DeclaredSetting, Target
from btdiag.families.config.judge.shared import single, unmeasured
from btdiag.families.config.remedy import NGINX, find_limit, find_timeout
from btdiag.families.gateway.facts.requests import ProductRequests, RequestTrial, Trait, is_refused
from btdiag.families.gateway.facts.streams import AGREES_S, HeldStream, StreamSilence

TOLERANCE_S = 2.0  # timers are looked at now and then, and the last answer takes a moment


def body_limit_is_effective(target: Target, requests: ProductRequests | NotMeasured) -> Finding:
    """Are bodies refused for their size above the limit that the files name, and not below it?"""
    setting = single(target, BODY_LIMIT)
    if isinstance(setting, Finding):
        return setting
    if isinstance(requests, NotMeasured):
        return unmeasured(requests)
    tried = sorted(
        (one for one in (*requests.trials, *requests.beyond) if one.trait is Trait.BODY and one.size),
        key=lambda one: one.size,
    )
    refused = [one for one in tried if one.exchange.status == 413]
    passed = [one for one in tried if _passed(one, requests)]
    limit = float(setting.value)
    if small := next((one for one in refused if one.size <= limit), None):
        return _other_limit(setting, small, f"a body of {_mib(small.size)} is answered {in_words(small.exchange)}")
    if large := next((one for one in reversed(passed) if one.size > limit), None):
        return _other_limit(setting, large, f"a body of {_mib(large.size)} passes")
    if not refused and not passed:
        return Finding(
            verdict=Verdict.SKIP,
            summary=f"bodies end at {_mib(limit)} in {setting.where}, and none was seen to pass or to be refused for"
            " its size here",
        )
    seen = f"a body of {_mib(refused[0].size)} is refused" if refused else f"one of {_mib(passed[-1].size)} passes"
    return Finding(verdict=Verdict.PASS, summary=f"bodies end at {_mib(limit)} in {setting.where}, and {seen}")


def _passed(trial: RequestTrial, requests: ProductRequests) -> bool:
    """The body got through, as the plain request did: by the same answer, and not before all of it was sent."""
    plain = requests.plain(trial)
    same = trial.exchange.status is not None and trial.exchange.status == plain.status
    return same and not trial.early and not is_refused(trial, plain)


def _other_limit(setting: DeclaredSetting, trial: RequestTrial, what: str) -> Finding:
    limit = _mib(float(setting.value))
    return Finding(
        verdict=Verdict.WARN,
        summary=f"bodies end at {limit} in {setting.where}, and {what}: the value is not rolled out, is set on another"
        " route, or another load balancer stands in front",
        answer="The limit of bodies that the files declare is not the one in effect",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected=f"413 above {limit}, and not below",
        seen=what,
        evidence=(
            evidence.table(
                "Declared and measured",
                ("what", "value"),
                [("declared", f"{limit} in {setting.where}"), ("seen", what)],
            ),
            *exchange_proofs(trial.exchange),
        ),
        remedy=find_limit(setting.where),
        sources=(NGINX,),
    )


def _mib(size: float) -> str:
    return f"{size / 1024 / 1024:g} MiB" if size >= 1024 * 1024 else f"{size / 1024:g} KiB"


def read_timeout_is_effective(target: Target, silence: StreamSilence | NotMeasured) -> Finding:
    """Is an answer that stays silent given up at the age that the files name?"""
    setting = single(target, READ_TIMEOUT)
    if isinstance(setting, Finding):
        return setting
    if isinstance(silence, NotMeasured):
        return unmeasured(silence)
    wanted = float(setting.value)
    lost = [held for held in silence.front if held.given_up]
    one_timer = len(lost) == len(silence.front) and _spread(lost) <= AGREES_S
    if lost and (not one_timer or _ended_behind(silence.direct, lost)):
        return Finding(
            verdict=Verdict.SKIP,
            summary="the silent answer ended, and whose timer that was cannot be told from it: see gateway",
        )
    if lost:
        seen = max(held.limit_s for held in lost)
        if abs(seen - wanted) <= TOLERANCE_S:
            return _as_said(setting, f"a silent answer was given up after {seen:.1f} s")
        return _other_timeout(setting, lost[0], f"given up after {seen:.1f} s", early=seen < wanted)
    survived = min((held.survived_s for held in silence.front), default=0.0)
    if survived > wanted + TOLERANCE_S:
        return _other_timeout(setting, silence.front[0], f"still awaited after {survived:.1f} s", early=False)
    return Finding(
        verdict=Verdict.SKIP,
        summary=f"answers are awaited for {wanted:g} s in {setting.where}, and none was silent for so long here",
    )


def _ended_behind(direct: HeldStream | None, lost: list[HeldStream]) -> bool:
    """Whether the API server itself ended its stream as early, without a load balancer."""
    if direct is None or direct.open or direct.refused:
        return False
    return direct.over_s <= max(held.over_s for held in lost) + AGREES_S


def _spread(lost: list[HeldStream]) -> float:
    limits = [held.limit_s for held in lost]
    return max(limits) - min(limits) if limits else 0.0


def _as_said(setting: DeclaredSetting, what: str) -> Finding:
    return Finding(
        verdict=Verdict.PASS, summary=f"answers are awaited for {setting.value} s in {setting.where}, and {what}"
    )


def _other_timeout(setting: DeclaredSetting, held: HeldStream, what: str, *, early: bool) -> Finding:
    meaning = "another hop gives up first, or it is not rolled out" if early else "it is not rolled out"
    return Finding(
        verdict=Verdict.WARN,
        summary=f"answers are awaited for {setting.value} s in {setting.where}, and a silent one was {what}: {meaning}",
        answer="Slow answers are not awaited as long as the files declare",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected=f"given up after {setting.value} s",
        seen=what,
        evidence=(
            evidence.table(
                "Declared and measured",
                ("what", "value"),
                [
                    ("declared", f"{setting.value} s in {setting.where}"),
                    ("seen", f"{what} ({in_words(held.exchange)})"),
                ],
            ),
            *exchange_proofs(held.exchange),
        ),
        remedy=find_timeout(setting.where),
        sources=(NGINX,),
    )
