"""Requests of every form that the product uses, each beside a plain one: which were turned down, and what to try next.

All go to a path that does not exist. What is answered otherwise than the plain request was judged by its form alone,
and not by the API, for which all of them are requests to a path that it does not know.
"""

from __future__ import annotations

from collections.abc import Sequence

from btdiag.core.exchange import Exchange
from btdiag.core.sender import json_body, sender
from btdiag.core.target import Mode
from btdiag.families.gateway.facts.requests import RequestTrial, Trait, is_refused

KIB = 1024
MIB = 1024 * KIB
SDK_BODY = 6 * MIB  # what SDKs send at most where /version names no logs3_payload_max_bytes
MOST_BODY = 8 * MIB  # never sent more, whatever /version says
QUICK_BODY = 1 * MIB + 64 * KIB  # just above the commonest limit, nginx's default of 1 MiB
URL_BYTES = 4 * KIB
HEADER_COUNT, HEADER_BYTES = 40, 4 * KIB  # cookies, tracing and baggage of a browser or an instrumented service
BISECTIONS = 6
NEAR = 16 * KIB  # a limit of bodies that is known so well is known well enough


# Up to where --deep looks for limits that the product does not reach: (what passes anyway, the most that is tried).
DEEP_URL = (URL_BYTES, 64 * KIB)


DEEP_HEADERS = (HEADER_BYTES, 64 * KIB)
DEEP_COUNT = (HEADER_COUNT, 200)


# Products whose limit of bodies has a default below what SDKs send.
_BODY_DEFAULTS = {"nginx": MIB, "OpenResty": MIB}


def advertised_body(version: Exchange | None) -> int | None:
    """The most bytes that SDKs may send at once according to GET /version; None where it does not say."""
    body = json_body(version) if version is not None else None
    value = body.get("logs3_payload_max_bytes") if isinstance(body, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def body_to_send(advertised: int | None, mode: Mode) -> int:
    """The size of the large body (bytes): just below what SDKs may send, or in a quick run just above 1 MiB."""
    allowed = min(advertised or SDK_BODY, MOST_BODY) - KIB
    return max(min(allowed, QUICK_BODY) if mode.quick else allowed, 1)


def next_body(history: Sequence[RequestTrial], plain: Exchange, mode: Mode) -> int | None:
    """The body size to try next, None when the limit is known well enough. First the default of the product that
    refused, and one byte more; then, with --deep, the middle between the largest accepted and the smallest refused."""
    bodies = [trial for trial in history if trial.trait is Trait.BODY]
    low, high = bracket(bodies, plain)
    if high is None or mode.quick or high - low <= 1:
        return None
    default = _BODY_DEFAULTS.get(sender(bodies[0].exchange).name)
    if default is not None and low < default < high:
        return default
    if low == default:
        return low + 1
    return _middle(low, high, NEAR) if mode.deep and len(bodies) <= BISECTIONS else None


def next_size(history: Sequence[RequestTrial], plain: Exchange, bounds: tuple[int, int]) -> int | None:
    """The size beyond the product's needs to try next: the most first, then by halves; None when that is enough."""
    low, high = bracket(history, plain)
    if not history:
        return bounds[1]
    return (
        _middle(max(low, bounds[0]), high, bounds[0] // 8) if high is not None and len(history) <= BISECTIONS else None
    )


def _middle(low: int, high: int, near: int) -> int | None:
    return (low + high) // 2 if high - low > near else None


def bracket(trials: Sequence[RequestTrial], plain: Exchange) -> tuple[int, int | None]:
    """The largest size that passed (0: none), and the smallest that was refused (None: none)."""
    refused = [trial.size for trial in trials if is_refused(trial, plain)]
    return max((trial.size for trial in trials if trial.size not in refused), default=0), min(refused, default=None)


def is_default_body_limit(trial: RequestTrial, limit: int) -> bool:
    """Whether a limit of bodies is the default of the product that refused the trial."""
    return _BODY_DEFAULTS.get(sender(trial.exchange).name) == limit


def size(count: int) -> str:
    """A number of bytes in the unit that fits."""
    if count >= MIB:
        return f"{count / MIB:.1f} MiB"
    return f"{count / KIB:.0f} KiB" if count >= KIB else f"{count} bytes"
