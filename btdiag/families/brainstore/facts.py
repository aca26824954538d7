"""What each of Brainstore's servers answers."""

from __future__ import annotations

from dataclasses import dataclass

from btdiag.core.exchange import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleAnswers:
    """GET /, GET /version and GET /status of one server; `role` is "" where none was named. The latter two are None
    where / did not answer well: nothing more is to be seen then."""

    role: str
    url: str
    root: Exchange
    version: Exchange | None = None
    status: Exchange | None = None

    @property
    def name(self) -> str:
        """For a person: "the fast-reader", or "Brainstore"."""
        return f"the {self.role}" if self.role else "Brainstore"
