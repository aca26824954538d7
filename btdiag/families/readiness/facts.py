"""What the same harmless question gave when it was asked again."""

from __future__ import annotations

from dataclasses import dataclass

from btdiag.core.exchange import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """One address asked again.

    `versions` are GET /version one after the other. The rest is GET /, asked only where some of several at once had
    failed, in this order: `alone` one at a time with a pause between them, `at_once` several together, twice,
    `in_a_row` one at a time without a pause. What the one before has settled is not asked: the rest is empty then.
    """

    versions: tuple[Exchange, ...] = ()
    alone: tuple[Exchange, ...] = ()
    at_once: tuple[Exchange, ...] = ()
    in_a_row: tuple[Exchange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTrials:
    """GET /ping on one address where the key had not been accepted, without a key, with one that was made up, with the
    key in x-bt-auth-token alone, and with the key at --backend (None: not asked, or the key may not go there)."""

    none: Exchange
    made_up: Exchange
    token: Exchange | None = None
    direct: Exchange | None = None
