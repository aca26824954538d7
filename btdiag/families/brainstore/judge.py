"""Each role against the others: does it answer, of the same version; and is its /status latched?"""

from __future__ import annotations

from collections.abc import Sequence

from btdiag.config.stated import FAST_READERS
from btdiag.core import evidence
from btdiag.core.answers import AnswerState, exchange_proofs, in_words, rate_limited, state_of
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Verdict
from btdiag.core.sender import json_body
from btdiag.core.target import DeclaredSetting, Target
from btdiag.families.brainstore.facts import RoleAnswers
from btdiag.families.brainstore.remedy import HELM, one_version, probe_root, start_role

FAST_READERS_THERE = "brainstore.fast-readers-are-there"
FIRST_ANSWERS = "readiness.brainstore-answers"
_ONE = "one server of Brainstore was named, and nothing to compare it with; to find out: --brainstore ROLE=URL"


def _state(one: RoleAnswers) -> AnswerState | None:
    return None if one.root is None else state_of(one.root, page_allowed=True)


def _answers(one: RoleAnswers) -> bool:
    return _state(one) is AnswerState.GOOD


def _said(one: RoleAnswers) -> str:
    return in_words(one.root) if one.root is not None else "a name that does not resolve"


def _proofs(one: RoleAnswers) -> tuple[Evidence, ...]:
    return exchange_proofs(one.root) if one.root is not None else ()


def _table(roles: Sequence[RoleAnswers]) -> Evidence:
    rows = [
        (
            one.role or "-",
            one.url,
            _said(one),
            _version(one) or "-",
            str(one.status.status or in_words(one.status)) if one.status else "-",
        )
        for one in roles
    ]
    return evidence.table("Brainstore's servers", ("role", "URL", "GET /", "version", "GET /status"), rows)


def roles_answer(roles: Sequence[RoleAnswers], first_url: str | None, target: Target) -> Finding:
    """Does every role but the first answer? The first one has a check of its own."""
    others = [one for one in roles if one.url != first_url]
    if not others:
        return Finding(verdict=Verdict.SKIP, summary=_ONE)
    limited = next((one.root for one in others if _state(one) is AnswerState.LIMITED), None)
    if limited is not None:
        return rate_limited(limited)
    working = [one for one in roles if _answers(one)]
    silent = [one for one in others if _state(one) not in (AnswerState.GOOD, AnswerState.LOCAL, None)]
    if silent and working:
        return _silent(silent[0], roles, working[0])
    unasked = next((one for one in others if _state(one) in (AnswerState.LOCAL, None)), None)
    if unasked is not None:
        there = fast_readers_are_there(roles, first_url, target)
        if there.verdict is Verdict.FAIL:
            return Finding(verdict=Verdict.SKIP, because=FAST_READERS_THERE, summary=there.summary)
        return Finding(
            verdict=Verdict.INCONCLUSIVE,
            summary=f"{unasked.name} at {unasked.url} could not be asked: {_said(unasked)}",
            hop=HopName.CLIENT,
            owner=Owner.CLIENT,
            evidence=(_table(roles), *_proofs(unasked)),
        )
    if not silent:
        return Finding(
            verdict=Verdict.PASS,
            summary=f"{len(others)} more of Brainstore's servers answer",
            evidence=(_table(roles),),
        )
    return Finding(
        verdict=Verdict.SKIP, because=FIRST_ANSWERS, summary="none of Brainstore's servers answers from here"
    )


def _silent(one: RoleAnswers, roles: Sequence[RoleAnswers], working: RoleAnswers) -> Finding:
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{one.name} at {one.url} gives {_said(one)}, while {working.name} answers",
        answer=_ANSWER.get(one.role, "One of Brainstore's servers does not answer: part of its work is not done"),
        hop=HopName.BRAINSTORE,
        owner=Owner.API,
        expected="200-399 to GET /, as at the other servers",
        seen=_said(one),
        evidence=(_table(roles), *_proofs(one)),
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


def fast_readers_are_there(roles: Sequence[RoleAnswers], first_url: str | None, target: Target) -> Finding:
    """Are there fast readers where files say that the API is told of them?"""
    told = next((setting for setting in target.settings if setting.name == FAST_READERS), None)
    if told is None:
        said = "states that the API is told of fast readers" if target.settings else "was given"
        return Finding(verdict=Verdict.SKIP, summary=f"no file of --config {said}; to find out: --config PATH")
    one = next((one for one in roles if one.role == "fast-reader"), None)
    if one is None:
        return Finding(
            verdict=Verdict.SKIP,
            summary=f"the API is told of fast readers ({told.value} in {told.where}), and none was named; to find out:"
            " --brainstore fast-reader=URL",
        )
    if _answers(one):
        return Finding(
            verdict=Verdict.PASS,
            summary=f"the API is told of fast readers in {told.where}, and {one.url} answers",
            evidence=(_table(roles),),
        )
    if one.root is not None:
        by = FIRST_ANSWERS if one.url == first_url else "brainstore.roles-answer"
        return Finding(verdict=Verdict.SKIP, because=by, summary=f"{one.name} does not answer")
    return _nameless(one, roles, told)


def _nameless(one: RoleAnswers, roles: Sequence[RoleAnswers], told: DeclaredSetting) -> Finding:
    beside = next((other for other in roles if _answers(other) and one.domain and other.domain == one.domain), None)
    if beside is None:
        return Finding(
            verdict=Verdict.INCONCLUSIVE,
            summary=f"the API is told of fast readers in {told.where}, and the name of {one.url} does not resolve from"
            " here; run it where the API runs (btdiag kubernetes job)",
        )
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"the API is told of fast readers ({told.value} in {told.where}), and the name of {one.url} does not"
        f" resolve, while {beside.name} answers at {beside.url}: there are none",
        answer="The API sends queries to fast readers that are not there",
        hop=HopName.BRAINSTORE,
        owner=Owner.API,
        expected=f"a server at {one.url}",
        seen="a name that does not resolve",
        evidence=(_table(roles),),
        remedy=start_role("fast-reader"),
        sources=(HELM,),
    )
