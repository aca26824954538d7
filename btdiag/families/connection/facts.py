"""What the plain http:// port beside an https:// target answered."""

from __future__ import annotations

from dataclasses import dataclass

from btdiag.core.exchange import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainHttp:
    """What http:// came to: the answer, and where there was none, or 400, whether the port speaks TLS instead."""

    answer: Exchange
    speaks_tls: bool = False
