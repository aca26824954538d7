"""How long each SDK waits where a login is turned down for now: what it makes of Retry-After.

Read in the packages (Python 0.34.0 to 0.48.1: api/_transport.py and api/policies.py, from 0.47.0 on also logger.py's
limit of 30 s for a login; JavaScript 3.35.0 never tries again), and observed with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import parsedate_to_datetime

from btdiag.core.exchange import Exchange
from btdiag.families.sdk.needs import Sdk

TRIES, IN_ALL_S, LOGIN_S = 4, 60.0, 30.0
LOGIN_LIMITED_SINCE = (0, 47)  # 0.36.0 has no such limit
_MOST_DIGITS = 12


def asked_to_wait(seen: Exchange) -> float | None:
    """The seconds that Retry-After asks for as Python reads it: digits alone, or a date, counted from the answer's
    own Date; None for anything else, "1.5" and "1500ms" among it, which the SDK passes over."""
    told = (seen.header("retry-after") or "").strip()
    if told.isascii() and told.isdigit():
        return float(told[:_MOST_DIGITS])
    try:
        return max(
            0.0, (parsedate_to_datetime(told) - parsedate_to_datetime(seen.header("date") or "")).total_seconds()
        )
    except (TypeError, ValueError, OverflowError):
        return None


def told_by(sdks: Sequence[Sdk], seen: Exchange) -> str:
    """What each SDK does about a login that is answered so, those that do the same together."""
    doing: dict[str, list[str]] = {}
    for sdk in sdks:
        doing.setdefault(_does(sdk, asked_to_wait(seen)), []).append(str(sdk))
    return "; ".join(f"{', '.join(names)}: {what}" for what, names in doing.items())


def _does(sdk: Sdk, wait_s: float | None) -> str:
    if not sdk.tries_again:
        return "no second try, the login fails at once"
    if wait_s is None:
        return f'{TRIES} tries in 3.5 s, and then "Invalid API key"'
    if wait_s >= IN_ALL_S:
        return "the login fails at once, for it may take a minute at most"
    if wait_s >= LOGIN_S and tuple(int(part) for part in sdk.version.split(".")[:2]) >= LOGIN_LIMITED_SINCE:
        return f"the login fails after {LOGIN_S:g} s, which is all that it may take"
    return f"another try after {wait_s:g} s, {TRIES} within a minute at most"
