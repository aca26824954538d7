"""The audit headers of one answer, and what they hold."""

from __future__ import annotations

from dataclasses import dataclass

from btdiag.core.exchange import Exchange

PREFIX = "x-bt-audit-"
REQUEST_HEADER = "x-bt-enable-audit"
RESOURCES = "x-bt-audit-resources"
NAMES = ("x-bt-audit-user-id", "x-bt-audit-user-email", "x-bt-audit-normalized-url", RESOURCES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What became of decoding the resources header: `types` of its entries, or the `problem`. `flat` is the older form
    without the envelope, which the SDK does not read."""

    types: tuple[str, ...] = ()
    problem: str = ""
    flat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The answer to a request that asked for audit headers. Their values name people and are not kept: `arrived` are
    the names that came with a value (lower case), `resources` what the resources header held."""

    exchange: Exchange
    arrived: tuple[str, ...]
    resources: Resources | None = None
