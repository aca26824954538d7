"""What the load balancer's own log says of a run (`--logs`), beside what the run saw itself."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from btdiag.core.finding import Verdict
from btdiag.core.report import CheckResult, MeasurementRecord
from btdiag.core.target import Target
from btdiag.engine.job import Run

if TYPE_CHECKING:  # what reads logs is loaded by runs that have some
    from btdiag.logs.during import LogEnd

INDUCED = "keepalive.backend-outlives-load-balancer"
FOLLOWS = frozenset(
    {"logs.no-request-meets-a-closing-connection", "logs.backend-stays-up", "logs.backend-takes-connections"}
)
"""What an induced race looks like in a log: lost to a closing connection, or closed while a busy server was waited for,
and a backend that is set aside for it. Of the run's own volleys, that is."""


def log_ends_of(target: Target) -> tuple[LogEnd, ...]:
    """Where the logs of a target end now; UsageError for what cannot be read."""
    if not target.logs:
        return ()
    from btdiag.logs.during import log_ends

    return log_ends(target.logs)


def ids_of_logs(targets: Sequence[Target]) -> Collection[str]:
    """The ids of the checks that logs add to a run, if any target has some."""
    if not any(target.logs for target in targets):
        return ()
    from btdiag.logs.claims import ALL_CLAIMS

    return {claim.id for claim in ALL_CLAIMS}


def with_logs(
    entries: Sequence[CheckResult],
    ends: Sequence[LogEnd],
    run: Run,
    duration_s: float,
    records: Sequence[MeasurementRecord],
) -> list[CheckResult]:
    """The results of a run, and those of its logs."""
    if not ends:
        return list(entries)
    from btdiag.logs.claims import ToldTimeouts
    from btdiag.logs.during import LATE_S, told_of_run
    from btdiag.logs.runs import run_measured

    (target,) = run.targets
    told = ToldTimeouts(keepalive_s=target.backend_keepalive, balancer_s=target.lb_idle_timeout)
    measured = run_measured(run.id, run.started_at.timestamp(), duration_s, records)
    found = told_of_run(ends, measured, told, late_s=0.0 if run.interrupt.requested else LATE_S)
    again = shlex.join(["btdiag", "logs", *(end.path for end in ends)])
    return follow_from_induced(entries, [replace(one, rerun=again) for one in found])


def follow_from_induced(entries: Sequence[CheckResult], logged: Sequence[CheckResult]) -> list[CheckResult]:
    """The results of both. A race that the run induced is one cause: its check shows the log's lines, and what the log
    calls it follows from that."""
    if not any(entry.id == INDUCED and entry.verdict is Verdict.FAIL for entry in entries):
        return [*entries, *logged]
    traces = [one for one in logged if one.id in FOLLOWS and one.verdict not in (Verdict.PASS, Verdict.SKIP)]
    lines = tuple(piece for one in traces for piece in one.evidence)
    return [
        *(replace(one, evidence=(*one.evidence, *lines)) if one.id == INDUCED else one for one in entries),
        *(_follows(one) if one in traces else one for one in logged),
    ]


def _follows(one: CheckResult) -> CheckResult:
    said = f"because {INDUCED} failed: {one.summary}"
    return replace(one, verdict=Verdict.SKIP, because=INDUCED, summary=said, answer="")
