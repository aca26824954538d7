"""The audit headers of one answer, and what they hold."""

from __future__ import annotations

from dataclasses import dataclass

from btdiag.core.exchange import Exchange, Trouble

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
    the names that came with a value (lower case), `resources` what the resources header held. `many` is the same read
    of up to 100 projects, whose audit headers are longer; `without` is the last read again where it was lost, without
    asking for them."""

    exchange: Exchange
    arrived: tuple[str, ...]
    resources: Resources | None = None
    without: Exchange | None = None
    many: Exchange | None = None

    @property
    def lost(self) -> Exchange | None:
        """The answer that was lost to the audit headers: of one project, or of `many`; and the same request without
        them (`without`) was answered well. None where none was."""
        shown = self.many or self.exchange
        well = self.without is not None and self.without.failure is None and (self.without.status or 0) < 400
        return shown if well and is_broken(shown) else None


def is_broken(seen: Exchange) -> bool:
    """Whether a gateway gave an error in place of an answer, or the connection broke."""
    if seen.failure is not None:
        return seen.failure.trouble in {Trouble.RESET, Trouble.CLOSED}
    return (seen.status or 0) >= 500
