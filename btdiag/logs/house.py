"""All that logs takes from the rest of the house, in one place."""

from __future__ import annotations

from btdiag.config.options import FAIL_ON
from btdiag.config.profile import Waiver, load_profile
from btdiag.config.reading import MIB, read_text
from btdiag.config.values import UsageError, duration
from btdiag.core import evidence
from btdiag.core.finding import Evidence, Finding, Json, Owner, Remedy, Snippet, Verdict, leading
from btdiag.core.report import CheckResult, MeasurementRecord, Report
from btdiag.report.documents import ReportFileError
from btdiag.report.escape import block, framed, plain
from btdiag.report.headline import action_of, answer_of
from btdiag.report.json_ import load as load_report
from btdiag.report.junit import details
from btdiag.report.redact import redact_text
from btdiag.report.verdicts import counts_at, exit_code_of

__all__ = [
    "FAIL_ON",
    "MIB",
    "CheckResult",
    "Evidence",
    "Finding",
    "Json",
    "MeasurementRecord",
    "Owner",
    "Remedy",
    "Report",
    "ReportFileError",
    "Snippet",
    "UsageError",
    "Verdict",
    "Waiver",
    "action_of",
    "answer_of",
    "block",
    "counts_at",
    "details",
    "duration",
    "evidence",
    "exit_code_of",
    "framed",
    "leading",
    "load_profile",
    "load_report",
    "plain",
    "read_text",
    "redact_text",
]
