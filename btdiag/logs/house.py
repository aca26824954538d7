"""All that logs takes from the rest of the house, in one place."""

from __future__ import annotations

from btdiag.config.profile import Waiver, load_profile
from btdiag.config.values import UsageError, duration
from btdiag.core import evidence
from btdiag.core.finding import Evidence, Finding, Json, Owner, Remedy, Snippet, Verdict, leading
from btdiag.core.report import CheckResult
from btdiag.report.escape import block, plain
from btdiag.report.redact import redact_text

__all__ = [
    "CheckResult",
    "Evidence",
    "Finding",
    "Json",
    "Owner",
    "Remedy",
    "Snippet",
    "UsageError",
    "Verdict",
    "Waiver",
    "block",
    "duration",
    "evidence",
    "leading",
    "load_profile",
    "plain",
    "redact_text",
]
