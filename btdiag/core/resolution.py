"""The facts of name resolution: what each resolver said about the target's name. Times in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLookup:
    """What one name server ("IP:PORT") says: an answer each for A and AAAA. `name` differs from the target's where
    the search list had to complete it."""

    server: str
    name: str
    answers: tuple[DnsAnswer, ...]

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
    "no answer" when it did not return in time; None when it gave addresses."""

    addresses: tuple[str, ...]
    duration_s: float
    error: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How one resolver of the target sees the name. `system` is set for this machine's own resolver only; `servers`
    are the name servers asked directly (for the system: those it is configured with, none for localhost names)."""

    label: str
    servers: tuple[ServerLookup, ...]
    system: SystemLookup | None = None

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
