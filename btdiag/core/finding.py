"""The values that everything else speaks of: what is tested, what was found, what is reported. Frozen, no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""What json.dumps takes: evidence and facts are made of it, so that every format can show them."""


class Verdict(StrEnum):
    """What is known of a claim. The order of severity is fail > inconclusive > warn > pass > skip."""

    SKIP = "skip"
    PASS = "pass"
    WARN = "warn"
    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"

    @property
    def severity(self) -> int:
        """0 (skip) to 4 (fail)."""
        return _SEVERITY[self]

    @property
    def place(self) -> int:
        """0 (fail) to 4 (skip): where it stands when what is known leads, and what is not comes after it."""
        return _PLACE[self]


_SEVERITY = {verdict: number for number, verdict in enumerate(Verdict)}
_PLACE = {
    verdict: number
    for number, verdict in enumerate((Verdict.FAIL, Verdict.WARN, Verdict.INCONCLUSIVE, Verdict.PASS, Verdict.SKIP))
}


def leading(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict that speaks for all: `fail`, else `warn`, else `inconclusive`, else `pass`; `skip` for none."""
    return min(verdicts, key=lambda verdict: verdict.place, default=Verdict.SKIP)


class HopName(StrEnum):
    """The stations between a client and the API, in the order in which a request passes them."""

    CLIENT = "client"
    DNS = "dns"
    PROXY = "proxy"
    NETWORK = "network"
    TLS = "tls"
    LOAD_BALANCER = "load balancer"
    API = "api"
    BRAINSTORE = "brainstore"
    BROWSER = "browser"
    CONTROL_PLANE = "control plane"
    CONFIG = "config"


class Owner(StrEnum):
    """Who can change what is at fault."""

    CLIENT = "user of this machine"
    DNS = "DNS administrator"
    PROXY = "proxy administrator"
    NETWORK = "network and firewall team"
    CERTIFICATES = "certificate owner"
    LOAD_BALANCER = "load balancer owner"
    API = "data plane operator"
    BROWSER = "browser policy administrator"
    BRAINTRUST = "Braintrust support"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One proof that a report shows. `kind` tells a renderer how `data` is shaped: see core/evidence.py."""

    kind: str
    title: str
    data: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """Configuration to copy; `product` names what it is for: nginx, ALB, Helm, Terraform, shell ..."""

    product: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What to change. `text` is one or two plain sentences with the real values filled in; `action` is the same in at
    most 140 characters, for the headline ("" where the first sentence of the text is that short)."""

    text: str
    snippets: tuple[Snippet, ...] = ()
    action: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a judgement concludes about one claim.

    `because` is the id of another check whose failure explains this one: set it with verdict `skip`. `hop` is a
    HopName and `owner` an Owner; a user's own checks may use plain strings. `answer` says in at most 90 characters what
    does not work for whom, without figures ("The web app cannot call the API: preflights refuse x-bt-use-gateway"); it
    begins the headline. `summary` is the proof: k of n, since when, where. `unless` are ids of checks: where one of
    them fails, that explains this finding, which is then `skip` because of it.
    """

    verdict: Verdict
    summary: str
    answer: str = ""
    hop: str = ""
    owner: str = ""
    expected: str = ""
    seen: str = ""
    evidence: tuple[Evidence, ...] = ()
    remedy: Remedy | None = None
    because: str | None = None
    sources: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()


class NotHeldError(Exception):
    """Raised by a check whose claim does not hold, or could not be decided; carries the finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.summary)
        self.finding = finding


def conclude(finding: Finding) -> Finding:
    """Return the finding when its claim holds (`pass`), else raise NotHeldError with it. Every check ends with it."""
    if finding.verdict is Verdict.PASS:
        return finding
    raise NotHeldError(finding)
