"""How a fault takes a hand in HTTP: a rule sees each request at its hop before, and each response after it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

from btdiag.lab.http import Request, Response
from btdiag.lab.net import Serve
from btdiag.lab.plan import LabHop, LabPlan


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer that is no HTTP response: `send` does with the connection what it likes, then it is closed."""

    send: Serve


Answer: TypeAlias = Response | Raw


@dataclass(slots=True)
class Memory:
    """What rules remember while the lab runs; the rules themselves are frozen. One per hop."""

    counts: dict[tuple[int, str], int] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    def count(self, rule: Rule, address: str) -> int:
        """How often the rule has been asked at an address, this time included: each address of a load balancer goes
        round its servers by itself."""
        key = (id(rule), address)
        self.counts[key] = self.counts.get(key, 0) + 1
        return self.counts[key]


@dataclass(frozen=True, slots=True)
class Visit:
    """Where a request came in: the hop's own address and port, the client's address, whether over TLS, whether on the
    load balancer's port for plain HTTP."""

    address: str
    port: int
    client: str
    tls: bool
    plain_port: bool
    memory: Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A fault in HTTP. Subclasses override `before`, `after` or both.

    It acts at `hop`, on requests that match all of: `addresses` of the hop, `paths` (glob patterns) and `methods`; none
    given: every one. Of those, on each `every`-th one only. `plain_port_too` includes the load balancer's http:// port,
    `spares_pages` leaves out what a web page sends (requests with an Origin).
    """

    hop: LabHop = LabHop.BALANCER
    addresses: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    every: int = 1
    plain_port_too: bool = False
    spares_pages: bool = False

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan with this rule at its hop."""
        return plan.with_rule(self.hop, self)

    def concerns(self, request: Request, visit: Visit) -> bool:
        """Whether the rule acts on this request. Asked once for each request: it counts."""
        matches = (
            (not visit.plain_port or self.plain_port_too)
            and (not self.addresses or visit.address in self.addresses)
            and (not self.paths or any(fnmatchcase(request.path, pattern) for pattern in self.paths))
            and (not self.methods or request.method in self.methods)
            and not (self.spares_pages and request.header("origin") is not None)
        )
        return matches and (self.every == 1 or visit.memory.count(self, visit.address) % self.every == 0)

    async def before(self, request: Request, visit: Visit) -> Request | Answer:
        """The request that goes on, or the answer that ends it here."""
        return request

    async def after(self, request: Request, response: Response, visit: Visit) -> Response:
        """The response that goes out."""
        return response
