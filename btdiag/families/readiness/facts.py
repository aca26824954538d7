"""What the same harmless question gave when it was asked again, alike and with one thing changed."""

from __future__ import annotations

from dataclasses import dataclass

from btdiag.core.exchange import Exchange

REFUSED = frozenset({400, 401, 403})
"""What a refused key is answered with; 400 where the header came twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyContrast:
    """GET /ping beside one that was refused with the API key: `without` a key, with a `made_up` one, with the key in
    the product's `other_header` (x-bt-auth-token), and `direct`, past the load balancer. The last two are None where
    the key may not go, or where there is no such way."""

    without: Exchange
    made_up: Exchange
    other_header: Exchange | None = None
    direct: Exchange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """GET / sent otherwise where it is never answered well: after a line of the PROXY protocol, or with another form of
    Host (which, and the answer). Only one of them was tried."""

    with_proxy_line: Exchange | None = None
    with_host: tuple[str, Exchange] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """One address asked again.

    `versions` are GET /version one after the other. The rest is GET /, asked only where some of several at once had
    failed, in this order: `alone` one at a time with a pause between them, `slowly` the same with longer pauses and
    nothing else under way, where some of those failed, `at_once` several together, twice, `in_a_row` one at a time
    without a pause. What the one before has settled is not asked: the rest is empty then.
    """

    versions: tuple[Exchange, ...] = ()
    alone: tuple[Exchange, ...] = ()
    slowly: tuple[Exchange, ...] = ()
    at_once: tuple[Exchange, ...] = ()
    in_a_row: tuple[Exchange, ...] = ()
