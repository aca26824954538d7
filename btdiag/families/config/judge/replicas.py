"""Do as many replicas answer as the files declare."""

from __future__ import annotations

from btdiag.config.stated import REPLICAS
from btdiag.core import evidence
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.target import DeclaredSetting, Target
from btdiag.families.config.facts import SeenReplicas
from btdiag.families.config.judge.shared import single, unmeasured
from btdiag.families.config.plan import MISSED, missed_by_chance
from btdiag.families.config.remedy import HELM, find_replicas


def declared_replicas_answer(target: Target, seen: SeenReplicas | NotMeasured) -> Finding:
    """Are the replicas that answer as many as the files declare?"""
    setting = single(target, REPLICAS)
    if isinstance(setting, Finding):
        return setting
    if isinstance(seen, NotMeasured):
        return unmeasured(seen)
    if not seen.told_by:
        return Finding(
            verdict=Verdict.SKIP, summary=f"{setting}, and no header of the answers tells which replica gave them"
        )
    wanted, found, named = int(setting.value), len(seen.answers), sum(count for _, count in seen.answers)
    if found == wanted:
        return Finding(
            verdict=Verdict.PASS,
            summary=f"{found} of {wanted} replicas ({setting.where}) answered {named} requests, by {seen.told_by}",
            evidence=(_table(seen),),
        )
    if found > named / 2:
        return Finding(
            verdict=Verdict.SKIP,
            summary=f"{seen.told_by} has {found} values in {named} answers: it names requests rather than replicas",
        )
    if found > wanted:
        return _other(setting, seen, f"{found} answer: not rolled out, or another deployment behind this host")
    if found == 1 or missed_by_chance(wanted, named) > MISSED:
        return Finding(
            verdict=Verdict.INCONCLUSIVE,
            summary=f"{setting}, and {found} answered {named} requests: the load balancer may send one client to the "
            "same ones, so the others may run as well; look at the ready pods",
            evidence=(_table(seen),),
        )
    return _other(setting, seen, f"{found} alone answer: the others are not ready, or not rolled out")


def _other(setting: DeclaredSetting, seen: SeenReplicas, what: str) -> Finding:
    named = sum(count for _, count in seen.answers)
    return Finding(
        verdict=Verdict.WARN,
        summary=f"{setting}, and of {named} requests {what}",
        answer="Another number of API replicas answers than the files declare",
        hop=HopName.CONFIG,
        owner=Owner.API,
        expected=f"{setting.value} replicas",
        seen=f"{len(seen.answers)} in {named} answers, told apart by {seen.told_by}",
        evidence=(_table(seen),),
        remedy=find_replicas(setting.where),
        sources=(HELM,),
    )


def _table(seen: SeenReplicas) -> Evidence:
    return evidence.table(f"Answers by {seen.told_by}", ("replica", "answers"), seen.answers)
