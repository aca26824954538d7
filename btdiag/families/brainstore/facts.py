"""What each of Brainstore's servers answers."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from btdiag.core.address import parsed_address
from btdiag.core.exchange import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleAnswers:
    """GET /, GET /version and GET /status of one server; `role` is "" where none was named. `root` is None where the
    name does not resolve; the latter two where / did not answer well: nothing more is to be seen then."""

    role: str
    url: str
    root: Exchange | None
    version: Exchange | None = None
    status: Exchange | None = None

    @property
    def domain(self) -> str:
        """What the host's name ends with after its first label; "" for an address, and for a name of one label."""
        host = urlsplit(self.url).hostname or ""
        return "" if parsed_address(host) else host.partition(".")[2]

    @property
    def name(self) -> str:
        """For a person: "the fast-reader", or "Brainstore"."""
        return f"the {self.role}" if self.role else "Brainstore"
