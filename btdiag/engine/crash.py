"""Where btdiag itself failed, as a report shows it."""

from __future__ import annotations

import traceback


def crash_text(error: BaseException) -> str:
    """The last lines of a traceback, enough to find the place."""
    return "".join(traceback.format_exception(error)[-6:]).strip()[-2000:]
