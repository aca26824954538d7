"""Nothing received is forgotten: every lost answer of a run is explained by a finding, or is one itself. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from btdiag.core import evidence
from btdiag.core.account import Account, Closing, Explainer, Lost
from btdiag.core.answers import exchange_proofs
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Verdict
from btdiag.core.sender import Confidence, sender
from btdiag.core.statuses import SOURCES, explain_answer

EVERYTHING = frozenset(
    {
        "readiness.root-answers",
        "readiness.every-address-agrees",
        "readiness.answers-steadily",
        "readiness.answers-are-one-servers",
        "readiness.api-stays-up",
        "keepalive.race-is-contained",
    }
)
"""Findings of which any lost answer may be a part: a target that is away, comes and goes, or loses requests."""
GATES = frozenset({"roots", "version", "repeats", "way"})
"""What checks ask for to know whether the target answers at all: a finding is not about these for asking."""
SHOWN = 30  # rows of the table


def no_unexplained_errors(closing: Closing) -> Finding:
    """The claim of readiness.no-unexplained-errors: no answer was lost that no other finding explains."""
    account = closing.account
    if not account.asked:
        return Finding(verdict=Verdict.SKIP, summary="no request was sent to the target in this run")
    explained, left = closing.split(EVERYTHING, GATES)
    if left.lost:
        return _unexplained(left, explained.total)
    if left.total:
        return _uncounted(left, explained.total)
    if not account.total:
        return Finding(verdict=Verdict.PASS, summary=f"none of {account.asked} requests was lost to an error")
    causes = sorted({one.check for one in closing.findings if one.check in EVERYTHING or _of(one, explained.lost)})
    return Finding(
        verdict=Verdict.PASS,
        summary=f"{account.total} of {account.asked} requests were lost to errors, all explained by "
        f"other findings ({', '.join(causes) or 'those on the same answers'})",
    )


def _of(found: Explainer, lost: Sequence[Lost]) -> bool:
    return any(found.explains(one, GATES) for one in lost)


def _uncounted(left: Account, explained: int) -> Finding:
    told = "; ".join(f"{one.count} x {one.what}" for one in left.more[:3])
    return Finding(
        verdict=Verdict.INCONCLUSIVE,
        summary=f"of {left.total + explained} lost answers only {explained} could be held against other findings; the "
        f"rest, too many to keep, are of kinds that none of them names ({told})",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="an answer below 500 to every request, but to those that are meant to fail",
        seen=told,
        remedy=Remedy(text="Mend what the other findings name first, then run again: fewer answers are lost then."),
    )


def _unexplained(account: Account, explained: int) -> Finding:
    asked, left = account.asked, account.lost
    kinds = Counter(f"{one.what} to {one.exchange.method} {one.route}" for one in left)
    told = "; ".join(f"{count} x {kind}" for kind, count in kinds.most_common(3))
    others = f" and {len(kinds) - 3} other kinds" if len(kinds) > 3 else ""
    first, last = left[0].exchange.started_at, left[-1].exchange.started_at
    when = f"at {first}" if first == last else f"from {first} to {last}"
    story = explain_answer(left[0].exchange)
    beside = f"; {explained} more are explained by other findings" if explained else ""
    return Finding(
        verdict=Verdict.WARN if not account.more and _mild(left) else Verdict.FAIL,
        summary=f"{account.total} of {asked} requests were lost to errors that nothing else explains ({told}{others}), "
        f"{when}: {story.cause}{beside}",
        answer="Requests were lost to errors now and then, beside all that works",
        hop=story.hop,
        owner=story.owner,
        expected="an answer below 500 to every request, but to those that are meant to fail",
        seen=told,
        evidence=(_table(left), *exchange_proofs(left[0].exchange)),
        remedy=_remedy(left[0], story.remedy),
        sources=SOURCES,
    )


def _mild(left: Sequence[Lost]) -> bool:
    """A single one, or what the API itself says of one route only: that need not concern users."""
    own = all(_from_api(one) for one in left)
    return len(left) == 1 or (own and len({one.route for one in left}) == 1)


def _from_api(lost: Lost) -> bool:
    seen, who = lost.exchange, sender(lost.exchange)
    known = who.confidence is not Confidence.UNKNOWN and who.hop is HopName.API
    return known and seen.failure is None and seen.status not in {502, 503, 504}


def _remedy(lost: Lost, cause: Remedy) -> Remedy:
    who = sender(lost.exchange)
    known = who.confidence is not Confidence.UNKNOWN
    log = f"the log of {who.name}" if known else f"the {who.hop}'s log, and in that of the hop before it"
    at = lost.exchange.started_at[11:19] + " UTC"
    return Remedy(
        text=f"Look in {log}, for the request at {lost.exchange.started_at} (it says {_agent(lost)}): such errors are "
        f"what users see now and then. {cause.text}",
        snippets=cause.snippets,
        action=f"Look in {log}, for {lost.exchange.method} {lost.route[:24]} at {at}",
    )


def _agent(lost: Lost) -> str:
    found = [value for name, value in lost.exchange.request_headers if name.lower() == "user-agent"]
    return found[0] if found else "btdiag"


def _table(left: Sequence[Lost]) -> Evidence:
    rows = [
        (
            one.exchange.started_at,
            f"{one.exchange.method} {one.route}",
            one.what,
            one.exchange.label,
            one.size,
            round(one.exchange.timing.total_s, 3),
        )
        for one in left[:SHOWN]
    ]
    heads = ("at", "request", "answer", "address", "bytes sent", "seconds")
    return evidence.table("Lost to errors that nothing else explains", heads, rows)
