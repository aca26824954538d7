"""What the API says to GET /ping with and without a key."""

from __future__ import annotations

from dataclasses import dataclass

from btdiag.core.exchange import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyContrast:
    """GET /ping beside one that was refused with the API key: `without` a key, with a `made_up` one, with the key in
    the product's `other_header` (x-bt-auth-token), and `direct`, past the load balancer. The last two are None where
    the key may not go, or where there is no such way."""

    without: Exchange
    made_up: Exchange
    other_header: Exchange | None = None
    direct: Exchange | None = None
