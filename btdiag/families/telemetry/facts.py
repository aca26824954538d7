"""What the endpoints that report on Brainstore's segments answer to somebody without a key."""

from __future__ import annotations

from dataclasses import dataclass

from btdiag.core.exchange import Exchange

ENDPOINTS = ("/brainstore/backfill/status", "/brainstore/locks-snapshot")


@dataclass(frozen=True, slots=True, kw_only=True)
class SysadminAnswers:
    """GET of each endpoint by path, and of a path that does not exist; all without a key."""

    trials: tuple[tuple[str, Exchange], ...]
    unknown: Exchange
