"""Moments and lengths of time as findings on certificates write them."""

from __future__ import annotations

from datetime import datetime, timedelta


def day(moment: datetime) -> str:
    """The date alone."""
    return f"{moment:%Y-%m-%d}"


def moment_of(moment: datetime) -> str:
    """Date and time to the minute."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def span(length: timedelta) -> str:
    """A length of time in the unit that fits, rounded down to whole days."""
    if length >= timedelta(days=2):
        return f"{length.days} days"
    hours = length.total_seconds() / 3600
    return f"{hours:.0f} hours" if hours >= 2 else f"{max(hours * 60, 0):.0f} minutes"
