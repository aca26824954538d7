"""Where btdiag itself, or a user's own check, failed: as a report shows it. Never fails itself."""

from __future__ import annotations

import traceback


def crash_text(error: BaseException) -> str:
    """The last lines of a traceback, enough to find the place."""
    try:
        return "".join(traceback.format_exception(error)[-6:]).strip()[-2000:]
    except Exception:  # an exception whose own text cannot be made
        return type(error).__name__


def said(error: BaseException) -> str:
    """The text of an exception, at most 300 characters; its type where it has none that can be made."""
    try:
        return str(error)[:300]
    except Exception:
        return "(an error whose text cannot be made)"
