"""A name that resolves, and yet not for every program or not in good time: one family denied, loss, slow answers."""

from __future__ import annotations

from collections.abc import Sequence

from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Verdict
from btdiag.core.resolution import DnsAnswer, LookupOutcome, Resolution, ServerLookup, SystemLookup, View
from btdiag.core.resolver_rules import ResolverRules

SLOW = 1.0  # seconds for a lookup and for the one after it; resolvers answer within a tenth of that
RESENT = 4.0  # seconds; glibc asks again after 5 s without an answer (resolv.conf(5), timeout)
LOST = 2  # queries of a series: one datagram may be lost anywhere

SILENT = frozenset({LookupOutcome.TIMEOUT, LookupOutcome.UNREACHABLE})
_DENIES = frozenset({LookupOutcome.NXDOMAIN, LookupOutcome.SERVFAIL, LookupOutcome.REFUSED, LookupOutcome.TIMEOUT})


def addresses_doubted(resolution: Resolution, shown: Evidence) -> Finding | None:
    """The warning about a name that has addresses; None where nothing speaks against them."""
    view = resolution.views[0]
    if (half := half_denied(view)) is not None and not denied_to_musl_alone(half[1]):
        return _half_denied(resolution, half, shown)
    if any(server.outcome in SILENT for server in view.servers):
        return None  # dns.resolvers-agree names the server that is silent, and what it costs
    losing = next((server for server in view.servers if loses(server)), None)
    slow = slow_lookup(view)
    if losing is not None:
        return _lossy(resolution, losing, shown)
    return _slow(resolution, slow, shown) if slow is not None else None


def half_denied(view: View) -> tuple[ServerLookup, DnsAnswer] | None:
    """The server that gives addresses of one family and answers the question for the other one with an error, or not at
    all, instead of "no such record", with that answer (RFC 4074 sections 4.1 to 4.3); None where none does."""
    for server in view.servers:
        if server.outcome is LookupOutcome.ADDRESSES:
            for answer in server.answers:
                if answer.outcome in _DENIES:
                    return server, answer
    return None


def denied_to_musl_alone(answer: DnsAnswer) -> bool:
    """Whether a denial of one family misleads musl alone: glibc takes NXDOMAIN to AAAA for "no such record" where there
    is an A record. That is what clients.resolve-the-name warns of."""
    return answer.qtype == "AAAA" and answer.outcome is LookupOutcome.NXDOMAIN


def loses(server: ServerLookup) -> bool:
    """Whether more queries than one stayed unanswered, and not for their EDNS alone."""
    return server.loss is not None and not server.loss.of_edns and server.loss.lost >= LOST


def slow_lookup(view: View) -> float | None:
    """How long a lookup took, where that is seconds: twice, or so long that a query must have been sent again; for a
    name server that was asked directly the quickest of its answers. None where it is quick."""
    if view.system is not None:
        first, second = view.system.duration_s, view.system.again_s
        return first if first >= RESENT or (second is not None and min(first, second) >= SLOW) else None
    times = [answer.duration_s for server in view.servers for answer in server.answers]
    return min(times) if times and min(times) >= SLOW else None


def lookup_s(view: View) -> float:
    """How long the lookup took that programs wait for; of a name server that was asked directly its slower answer."""
    if view.system is not None:
        return view.system.duration_s
    return max(answer.duration_s for server in view.servers for answer in server.answers)


def aside_of_loss(view: View) -> str:
    """What a series of queries showed though nothing is wrong for programs."""
    for server in view.servers:
        if server.loss is not None and server.loss.of_edns:
            return (
                f"; queries with EDNS to {server.server} are lost, plain ones, as C libraries send them, are answered"
            )
        if server.loss is not None and server.loss.lost:
            return f"; {server.loss.lost} of {server.loss.asked} queries to {server.server} stayed unanswered"
    return ""


def some(items: Sequence[str], limit: int = 4) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(items) - limit} more" if len(items) > limit else ""
    return ", ".join(items[:limit]) + more


def _half_denied(resolution: Resolution, half: tuple[ServerLookup, DnsAnswer], shown: Evidence) -> Finding:
    server, answer = half
    return Finding(
        verdict=Verdict.WARN,
        summary=f"{resolution.name} resolves to {some(resolution.addresses)}, but name server {server.server} "
        f"{_said(answer)}: {_believed(answer, resolution.views[0].system)}",
        answer="Lookups wait for seconds: the name server is silent about one address family"
        if answer.outcome is LookupOutcome.TIMEOUT
        else "Some programs do not find the API: DNS denies one address family by an error",
        hop=HopName.DNS,
        owner=Owner.DNS,
        expected=f"an empty answer without an error where {resolution.name} has no {answer.qtype} record",
        seen=f"{answer.qtype}: {answer.outcome} from {server.server}",
        evidence=(shown,),
        remedy=half_remedy(resolution.name, server, answer),
        sources=("RFC 4074 section 4", "https://github.com/coredns/coredns/issues/779"),
    )


def _said(answer: DnsAnswer) -> str:
    if answer.outcome is LookupOutcome.TIMEOUT:
        return f"does not answer the {answer.qtype} question"
    return f"answers {answer.outcome} to the {answer.qtype} question"


def _believed(answer: DnsAnswer, system: SystemLookup | None) -> str:
    if answer.outcome is LookupOutcome.TIMEOUT:
        took = f" ({system.duration_s:.1f} s here)" if system is not None else ""
        return f"programs that ask for both wait for their timeout at every lookup{took}"
    if answer.outcome is LookupOutcome.NXDOMAIN:
        return "glibc takes the address of the other family, musl (Alpine images) the name for one that does not exist"
    return "not every program goes on in spite of it"


def half_remedy(name: str, server: ServerLookup, answer: DnsAnswer) -> Remedy:
    """What to change where one address family is denied or met with silence."""
    musl = " musl, the C library of Alpine images, gives up." if answer.outcome is not LookupOutcome.TIMEOUT else ""
    return Remedy(
        text=f"Let the name server {server.server}, or the one it asks, answer the {answer.qtype} question for {name} "
        f"without an error and without records (NOERROR). glibc takes the addresses of the other family.{musl}",
        action="Let the name server answer the other address family with no records instead of an error",
    )


def _lossy(resolution: Resolution, server: ServerLookup, shown: Evidence) -> Finding:
    loss = server.loss
    assert loss is not None
    view = resolution.views[0]
    took = f"; the lookup took {lookup_s(view):.1f} s" if lookup_s(view) >= SLOW else ""
    return Finding(
        verdict=Verdict.WARN,
        summary=f"{loss.lost} of {loss.asked} queries for {resolution.name} to name server {server.server} stayed "
        f"unanswered{took}: whoever meets that {_price(view.rules)}",
        answer=f"Lookups take seconds now and then: {loss.lost} of {loss.asked} DNS queries are lost",
        hop=HopName.DNS,
        owner=Owner.DNS,
        expected="an answer to every query",
        seen=f"{loss.edns_lost} of {loss.edns_asked} with EDNS and {loss.plain_lost} of {loss.plain_asked} plain ones "
        "lost",
        evidence=(shown,),
        remedy=Remedy(
            text=f"Look at the name server {server.server} (load, rate limit, full connection table on the way) and at "
            "the line to it. A cache on this machine hides the loss from programs.",
            action="Look at the load and rate limits of the name server, and at the line to it",
        ),
        sources=("resolv.conf(5), timeout and attempts",),
    )


def _price(rules: ResolverRules) -> str:
    """What a lost query costs a program, by the options it resolves by."""
    if rules.attempts == 1:
        return f"finds no address, for by the option attempts:1 nobody asks again after {rules.timeout_s} s"
    return f"waits {rules.timeout_s} s and more"


def _slow(resolution: Resolution, seconds: float, shown: Evidence) -> Finding:
    again = resolution.views[0].system.again_s if resolution.views[0].system is not None else None
    twice = f", and {again:.1f} s when asked again" if again is not None else ""
    return Finding(
        verdict=Verdict.WARN,
        summary=f"{resolution.name} resolves to {some(resolution.addresses)}, but a lookup takes {seconds:.1f} s"
        f"{twice}",
        answer=f"Every new connection waits for DNS: a lookup takes {seconds:.1f} s",
        hop=HopName.DNS,
        owner=Owner.DNS,
        expected="an answer within a tenth of a second, and from a cache at once",
        seen=f"{seconds:.1f} s{twice}",
        evidence=(shown,),
        remedy=Remedy(
            text="Find out which resolver on the way is slow: ask each name server directly (dig). A search list, a "
            "first name server that is dead and lost queries cost 5 s each; a cache on this machine hides it.",
            action="Find the resolver that is slow: ask each name server directly",
        ),
        sources=("resolv.conf(5), timeout and attempts",),
    )
