"""The facts of name resolution: what each resolver said about the target's name. Times in seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from btdiag.core.resolver_rules import ResolverRules


def is_local_name(name: str) -> bool:
    """Whether the name means this machine and is never asked of a name server (RFC 6761 section 6.3)."""
    return name == "localhost" or name.endswith(".localhost")


TESTED_ADDRESSES = 16  # a pool that gives more is not better known by more connections


class LookupOutcome(StrEnum):
    """What a question to a name server came to."""

    ADDRESSES = "addresses"
    NO_DATA = "no such record"
    NXDOMAIN = "NXDOMAIN"
    SERVFAIL = "SERVFAIL"
    REFUSED = "REFUSED"
    TIMEOUT = "no answer"
    UNREACHABLE = "unreachable"
    LOCAL = "not sent"  # this machine refused to send (EPERM, no descriptors): says nothing of the name
    ERROR = "unusable answer"

    @property
    def denies(self) -> bool:
        """The server answered that there is no address."""
        return self in {LookupOutcome.NO_DATA, LookupOutcome.NXDOMAIN}


class AddressSource(StrEnum):
    """Where the addresses come from."""

    LITERAL = "the URL itself"
    OVERRIDE = "--resolve"
    RESOLVER = "a resolver"


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsAnswer:
    """What one server answered to one question. `chain` are the names that aliases lead to, in order; `ttl` the
    smallest on the way; `extended_error` is the server's own reason (RFC 8914); `transport` what carried the answer."""

    qtype: str
    outcome: LookupOutcome
    addresses: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    ttl: int | None = None
    extended_error: str = ""
    detail: str = ""
    transport: str = "udp"
    duration_s: float = 0.0
    lost: int = 0  # UDP queries that nothing came back to


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryLoss:
    """How many UDP queries to one name server stayed unanswered: those with EDNS (RFC 6891), and the plain ones that C
    libraries send."""

    edns_asked: int
    edns_lost: int
    plain_asked: int
    plain_lost: int

    @property
    def of_edns(self) -> bool:
        """Whether it is EDNS that something on the way drops: none gets through, and every plain query does."""
        return self.edns_lost == self.edns_asked > 1 and self.plain_lost == 0

    @property
    def asked(self) -> int:
        """All queries."""
        return self.edns_asked + self.plain_asked

    @property
    def lost(self) -> int:
        """All that stayed unanswered."""
        return self.edns_lost + self.plain_lost


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLookup:
    """What one name server ("IP:PORT") says: an answer each for A and AAAA. `name` differs from the target's where
    the search list had to complete it. `loss` is what a series of queries came to, asked where one had been lost."""

    server: str
    name: str
    answers: tuple[DnsAnswer, ...]
    loss: QueryLoss | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses, in the order of the answers."""
        return tuple(address for answer in self.answers for address in answer.addresses)

    @property
    def outcome(self) -> LookupOutcome:
        """Both answers in one word: addresses if there are any, else what stands in their way."""
        seen = [answer.outcome for answer in self.answers]
        if LookupOutcome.ADDRESSES in seen:
            return LookupOutcome.ADDRESSES
        return next((outcome for outcome in seen if outcome is not LookupOutcome.NO_DATA), LookupOutcome.NO_DATA)

    @property
    def decisive(self) -> DnsAnswer:
        """The answer that the outcome is taken from."""
        return next(answer for answer in self.answers if answer.outcome is self.outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemLookup:
    """What getaddrinfo gave the way every program of this machine gets it. `error` is its code ("EAI_NONAME"), or
    "no answer" when it did not return in time; None when it gave addresses. `again_s` is how long a second lookup took,
    made where the first one was slow."""

    addresses: tuple[str, ...]
    duration_s: float
    error: str | None = None
    detail: str = ""
    again_s: float | None = None


class DetourKind(StrEnum):
    """What gives this machine's programs other addresses than DNS has for the name."""

    HOSTS_FILE = "hosts file"
    SEARCH_LIST = "search list"
    OTHER = "something else on this machine"
    RESOLVER = "another resolver"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detour:
    """Programs on this machine get other addresses for a name than its name servers give for the very same name.

    `where` is the place in the hosts file, the name as the search list completes it, or the other resolver; `straight`
    are DNS's own addresses (none where it says that the name does not exist), or the other resolver's. `wildcard` tells
    that any name is answered so there.
    """

    kind: DetourKind
    where: str
    straight: tuple[str, ...]
    wildcard: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How one resolver of the target sees the name. `system` is set for this machine's own resolver only; `servers`
    are the name servers asked directly (for the system: those it is configured with, none for localhost names), about
    the very name where `detour` tells that programs get something else; `rules` how this machine's programs ask."""

    label: str
    servers: tuple[ServerLookup, ...]
    system: SystemLookup | None = None
    detour: Detour | None = None
    rules: ResolverRules = field(default_factory=ResolverRules)

    @property
    def addresses(self) -> tuple[str, ...]:
        """What a program that uses this resolver gets."""
        if self.system is not None:
            return self.system.addresses
        return next((server.addresses for server in self.servers if server.addresses), ())

    @property
    def outside_dns(self) -> bool:
        """The system knows the name though its name servers say that it does not exist: hosts file, mDNS, LLMNR."""
        denied = bool(self.servers) and all(server.outcome.denies for server in self.servers)
        return self.system is not None and bool(self.system.addresses) and denied


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """All that is known about the target's name. `addresses` are those the system would try, in its order, each once;
    they are the first view's. `proxy` names the proxy that resolves the name itself, "" without one."""

    name: str
    source: AddressSource
    addresses: tuple[str, ...]
    views: tuple[View, ...] = ()
    proxy: str = ""

    @property
    def denied(self) -> bool:
        """There is no address, and every name server of this machine that was asked said so itself."""
        servers = self.views[0].servers if self.views else ()
        return not self.addresses and bool(servers) and all(server.outcome.denies for server in servers)

    @property
    def detour(self) -> Detour | None:
        """What gives programs here other addresses than DNS has for the name; else a resolver that was asked for
        comparison and gives none of the same."""
        if not self.views or self.proxy or not self.addresses:
            return None
        first, *others = self.views
        if first.detour is not None:
            return first.detour
        apart = [view for view in others if view.addresses and not set(view.addresses) & set(self.addresses)]
        if not apart:
            return None
        return Detour(kind=DetourKind.RESOLVER, where=apart[0].label, straight=apart[0].addresses)
