"""What is reported: the result of each check, the facts behind them, and the run as a whole. Frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from btdiag.core.finding import Evidence, Json, Remedy, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One station of the path picture; `state` is "ok", "warn", "broken", "unknown" or "not reached"."""

    hop: str
    state: str
    detail: str = ""
    checks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One check as reported. `answer` is what a headline would say of it, "" without a short one. `waived` is the
    reason of an accepted finding: shown, but not counted. `why` says in the user's terms why the claim matters."""

    id: str
    family: str
    title: str
    verdict: Verdict
    summary: str
    answer: str = ""
    hop: str = ""
    owner: str = ""
    because: str | None = None
    expected: str = ""
    seen: str = ""
    rerun: str = ""
    evidence: tuple[Evidence, ...] = ()
    remedy: Remedy | None = None
    sources: tuple[str, ...] = ()
    measurements: tuple[str, ...] = ()
    duration_s: float = 0.0
    waived: str | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementRecord:
    """When a measurement ran and what it saw. `name` is unique in a report ("connection@127.0.0.2"); `fact` is None
    where there is none, and `missing` says why. Times in seconds since the start of the run."""

    name: str
    started_s: float
    duration_s: float
    fact: Json = None
    missing: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """What a pod of Kubernetes shows of itself to a process in it. `namespace` and `mesh` (whose sidecar listens: Istio
    or Linkerd) are "" where nothing tells; `service_account` says that a token of one is mounted; `search` and `ndots`
    (None: the system's 1) complete the names that programs here look up."""

    namespace: str = ""
    service_account: bool = False
    search: tuple[str, ...] = ()
    ndots: int | None = None
    mesh: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vantage:
    """From where the run looked. `proxies` has no credentials, `pod` is None outside of a cluster."""

    hostname: str
    platform: str
    python: str
    proxies: Mapping[str, str] = field(default_factory=dict)
    pod: Pod | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """The run itself. `started_at` is RFC 3339 UTC."""

    id: str
    started_at: str
    duration_s: float
    longest_wait_s: float
    interrupted: bool
    options: Mapping[str, Json]
    exit_code: int
    requests_sent: int
    vantage: Vantage


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The complete result for one target; every format is a pure function of it.

    `target` holds the fields of Target that may be shown; `root_cause` is the id of the failed check that comes first
    on the path, None without a failure.
    """

    tool_version: str
    run: RunInfo
    target: Mapping[str, Json]
    verdict: Verdict
    root_cause: str | None
    headline: str
    counts: Mapping[str, int]
    path: tuple[Hop, ...]
    checks: tuple[CheckResult, ...]
    not_seen: tuple[str, ...] = ()
    redactions: Mapping[str, int] = field(default_factory=dict)
    measurements: tuple[MeasurementRecord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSet:
    """Several targets of one run."""

    verdict: Verdict
    headline: str
    reports: tuple[Report, ...]


def unix_seconds(text: str) -> float:
    """A report's time (RFC 3339) in Unix seconds, UTC where it names no zone; ValueError or OverflowError where it is
    none."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=found.tzinfo or UTC).timestamp()
