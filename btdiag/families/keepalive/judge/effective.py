"""Is the API server's declared keep-alive in effect? Against what idle connections to it showed."""

from __future__ import annotations

from typing import TypeGuard

from btdiag.config.declared import KEEPALIVE
from btdiag.core import evidence
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.target import Target
from btdiag.families.keepalive.facts import BackendIdle
from btdiag.families.keepalive.judge.outlives import restart_instead, why_missing
from btdiag.families.keepalive.order import contradiction_s, order_of
from btdiag.families.keepalive.remedy import SOURCES, ineffective_remedy
from btdiag.families.keepalive.watched import Watch

_OFTEN = {1: "once", 2: "twice"}
BUSY_S = 5.0  # seconds by which a machine without a free processor may be late, as observed


def declared_is_effective(
    target: Target,
    whole: BackendIdle | NotMeasured,
    early: BackendIdle | NotMeasured | None = None,
    watch: Watch | NotMeasured | None = None,
) -> Finding:
    """Does the backend close when its declared setting says: at that age, or Node's second later? Where that was too
    long to be waited for, `early` still tells of a backend that closed long before."""
    declared = target.backend_keepalive
    if declared is None:
        summary = "nothing to compare with was declared, by --backend-keepalive or in a file of --config"
        return Finding(verdict=Verdict.SKIP, summary=summary)
    measured = early if isinstance(whole, NotMeasured) and _is_early(early, declared) else whole
    if isinstance(measured, NotMeasured):
        return _missing(measured)
    if restart := restart_instead(measured, None, watch):
        return restart
    order = order_of(target, measured)
    closed = "had not closed after" if measured.open_until_s else "closed after"
    setting = target.setting(KEEPALIVE)
    said = f"declared as {declared:g} s" + (f" in {setting.where}" if setting else "")
    text = f"the backend's keep-alive is {said}, and the backend itself {closed} {order.backend}"
    off_s = contradiction_s(declared, measured.closings_s or (measured.open_until_s or 0.0,))
    if off_s == 0 or (off_s < 0 and order.backend.at_least):
        return Finding(verdict=Verdict.PASS, summary=text)
    often = f"measured {_OFTEN.get(measured.rounds) or f'{measured.rounds} times'}"
    return Finding(
        verdict=_contradicted(declared, off_s, measured.rounds),
        summary=f"{text}, {often}",
        answer="The API server's keep-alive is not in effect as it is declared",
        hop=HopName.API,
        owner=Owner.API,
        expected=f"{declared:g} s, or a second more with Node.js",
        seen=f"{order.backend}, {often}",
        evidence=(_closings(measured),),
        remedy=ineffective_remedy(declared, order),
        sources=SOURCES,
    )


def _is_early(early: BackendIdle | NotMeasured | None, declared_s: float) -> TypeGuard[BackendIdle]:
    return (
        isinstance(early, BackendIdle) and bool(early.closings_s) and contradiction_s(declared_s, early.closings_s) < 0
    )


def _missing(missing: NotMeasured) -> Finding:
    if missing.by is not None:
        return Finding(verdict=Verdict.SKIP, summary=missing.reason, because=missing.by)
    verdict = Verdict.SKIP if missing.skipped else Verdict.INCONCLUSIVE
    return Finding(verdict=verdict, summary=why_missing(missing))


def _contradicted(declared_s: float, off_s: float, rounds: int) -> Verdict:
    """Too early is a failure. Too late is a risk, unless it was seen once and may be no more than a busy machine."""
    if off_s < 0:
        return Verdict.FAIL
    return Verdict.INCONCLUSIVE if rounds == 1 and off_s < max(BUSY_S, declared_s / 10) else Verdict.WARN


def _closings(measured: BackendIdle) -> Evidence:
    rows = [[f"{age:.3f}", "closed"] for age in measured.closings_s] or [[f"{measured.open_until_s}", "still open"]]
    return evidence.table(f"Idle connections to {measured.label}", ["idle s", "then"], rows)
