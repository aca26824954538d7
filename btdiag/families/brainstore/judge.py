"""Each role against the others: does it answer, of the same version; and is its /status latched?"""

from __future__ import annotations

from collections.abc import Sequence

from btdiag.core import evidence
from btdiag.core.answers import AnswerState, exchange_proofs, in_words, rate_limited, state_of
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Verdict
from btdiag.core.sender import json_body
from btdiag.families.brainstore.facts import RoleAnswers
from btdiag.families.brainstore.remedy import HELM, one_version, probe_root, start_role

FIRST_ANSWERS = "readiness.brainstore-answers"
_ONE = "one server of Brainstore was named, and nothing to compare it with; to find out: --brainstore ROLE=URL"


def _answers(one: RoleAnswers) -> bool:
    return state_of(one.root, page_allowed=True) is AnswerState.GOOD


def _table(roles: Sequence[RoleAnswers]) -> Evidence:
    rows = [
        (
            one.role or "-",
            one.url,
            in_words(one.root),
            _version(one) or "-",
            str(one.status.status or in_words(one.status)) if one.status else "-",
        )
        for one in roles
    ]
    return evidence.table("Brainstore's servers", ("role", "URL", "GET /", "version", "GET /status"), rows)


def roles_answer(roles: Sequence[RoleAnswers], first_url: str | None) -> Finding:
    """Does every role but the first answer? The first one has a check of its own."""
    others = [one for one in roles if one.url != first_url]
    if not others:
        return Finding(verdict=Verdict.SKIP, summary=_ONE)
    limited = next((one for one in others if state_of(one.root, page_allowed=True) is AnswerState.LIMITED), None)
    if limited is not None:
        return rate_limited(limited.root)
    local = next((one for one in others if state_of(one.root, page_allowed=True) is AnswerState.LOCAL), None)
    if local is not None:
        return Finding(
            verdict=Verdict.INCONCLUSIVE,
            summary=f"{local.name} at {local.url} could not be asked: {in_words(local.root)}",
            hop=HopName.CLIENT,
            owner=Owner.CLIENT,
            evidence=exchange_proofs(local.root),
        )
    silent = [one for one in others if not _answers(one)]
    if not silent:
        return Finding(
            verdict=Verdict.PASS,
            summary=f"{len(others)} more of Brainstore's servers answer",
            evidence=(_table(roles),),
        )
    working = [one for one in roles if _answers(one)]
    if not working:
        return Finding(
            verdict=Verdict.SKIP, because=FIRST_ANSWERS, summary="none of Brainstore's servers answers from here"
        )
    return _silent(silent[0], roles, working[0])


def _silent(one: RoleAnswers, roles: Sequence[RoleAnswers], working: RoleAnswers) -> Finding:
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{one.name} at {one.url} gives {in_words(one.root)}, while {working.name} answers",
        answer=_ANSWER.get(one.role, "One of Brainstore's servers does not answer: part of its work is not done"),
        hop=HopName.BRAINSTORE,
        owner=Owner.API,
        expected="200-399 to GET /, as at the other servers",
        seen=in_words(one.root),
        evidence=(_table(roles), *exchange_proofs(one.root)),
        remedy=start_role(one.role or "server"),
        sources=(HELM,),
    )


_ANSWER = {
    "writer": "What is logged is not stored: Brainstore's writer does not answer",
    "reader": "Queries fail: Brainstore's reader does not answer",
    "fast-reader": "Part of the queries fail: Brainstore's fast reader does not answer",
}


def _version(one: RoleAnswers) -> str:
    body = json_body(one.version) if one.version is not None and one.version.status == 200 else None
    return str(body.get("version") or "")[:60] if isinstance(body, dict) else ""


def roles_run_one_version(roles: Sequence[RoleAnswers]) -> Finding:
    """Do all roles that name their version name the same one?"""
    if len(roles) < 2:
        return Finding(verdict=Verdict.SKIP, summary=_ONE)
    named = {one.name: version for one in roles if (version := _version(one))}
    if len(named) < 2:
        return Finding(verdict=Verdict.SKIP, summary="fewer than two of Brainstore's servers tell their version")
    if len(set(named.values())) == 1:
        return Finding(
            verdict=Verdict.PASS, summary=f"{len(named)} of Brainstore's servers run {next(iter(named.values()))}"
        )
    said = ", ".join(f"{name} {version}" for name, version in named.items())
    return Finding(
        verdict=Verdict.WARN,
        summary=f"Brainstore's servers run different versions: {said}",
        answer="Brainstore's servers run different versions: one may not read what another writes",
        hop=HopName.BRAINSTORE,
        owner=Owner.API,
        expected="one version",
        seen=said,
        evidence=(_table(roles),),
        remedy=one_version(),
        sources=(HELM,),
    )


def brainstore_is_not_latched(roles: Sequence[RoleAnswers]) -> Finding:
    """Does /status fail at a server whose / is fine?"""
    well = [one for one in roles if _answers(one)]
    if not well:
        return Finding(
            verdict=Verdict.SKIP, because=FIRST_ANSWERS, summary="no server of Brainstore answers GET / from here"
        )
    asked = [(one, one.status) for one in well if one.status is not None]
    latched = [(one, seen) for one, seen in asked if seen.status is not None and seen.status >= 500]
    if not latched:
        if not any(seen.status is not None and 200 <= seen.status < 300 for _, seen in asked):
            return Finding(verdict=Verdict.SKIP, summary="Brainstore serves no /status here, so nothing can latch")
        return Finding(verdict=Verdict.PASS, summary="GET /status answers as GET / does")
    one, seen = latched[0]
    return Finding(
        verdict=Verdict.WARN,
        summary=f"GET /status fails at {len(latched)} of {len(well)} of Brainstore's servers though GET / is fine: "
        f"{one.name} gives {in_words(seen)}; it is known never to recover once it has failed",
        answer="A health check on Brainstore's /status would keep a healthy server out for ever",
        hop=HopName.BRAINSTORE,
        owner=Owner.API,
        expected="no health check on /status; 200 where it exists",
        seen=in_words(seen),
        evidence=(_table(roles), *exchange_proofs(seen)),
        remedy=probe_root(),
        sources=(HELM,),
    )
