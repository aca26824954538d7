"""All that lint takes from the rest of the house, in one place."""

from __future__ import annotations

from btdiag.config.profile import Waiver, load_profile
from btdiag.config.values import UsageError
from btdiag.core.finding import Verdict
from btdiag.report.escape import block, framed, plain
from btdiag.report.redact import redact_text

__all__ = ["UsageError", "Verdict", "Waiver", "block", "framed", "load_profile", "plain", "redact_text"]
