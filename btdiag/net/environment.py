"""What this process was started with: its environment variables."""

from __future__ import annotations

import os

from btdiag.core.urls import without_userinfo


def variable(name: str) -> str | None:
    value = os.environ.get(name)
    return without_userinfo(value.strip())[:300] if value is not None else None
