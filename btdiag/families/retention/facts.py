"""What the routes of retention and service tokens answer, beside what routes answer that are known to be there or not.

Source: the API Gateway specification of terraform-aws-braintrust-data-plane (modules/ingress), which lists every route.
"""

from __future__ import annotations

from dataclasses import dataclass

from btdiag.core.exchange import Exchange

READ = "/service-token/btdiag"  # a name that nobody gave to a token
PREFLIGHTS = ("/brainstore/time_based_retention",)
KNOWN = "/version"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRoutes:
    """`read` is GET of a token that does not exist, without a key; `preflights` are OPTIONS of routes that take POST
    alone, by path. `unknown`, GET of a path that does not exist, and `known`, OPTIONS of a route that is there, are
    asked for contrast: None where the others speak for themselves."""

    read: Exchange
    unknown: Exchange | None
    preflights: tuple[tuple[str, Exchange], ...]
    known: Exchange | None
