"""Each way in which a name server says no, or nothing: the sentence, the owner and the remedy."""

from __future__ import annotations

from dataclasses import dataclass

from btdiag.core.finding import Owner, Remedy, Snippet, Verdict
from btdiag.core.resolution import LookupOutcome, ServerLookup

_DNSSEC_CODES = frozenset({"5", "6", "7", "8", "9", "10", "11", "12"})  # RFC 8914 sections 4.6 to 4.13
_POLICY_CODES = frozenset({"15", "16", "17", "18"})  # RFC 8914 sections 4.16 to 4.19


@dataclass(frozen=True, slots=True, kw_only=True)
class Unresolved:
    """Why there is no address, as the finding will say it."""

    summary: str
    seen: str
    remedy: Remedy
    verdict: Verdict = Verdict.FAIL
    owner: str = Owner.DNS
    sources: tuple[str, ...] = ("RFC 1034 section 4.3.2", "RFC 2308 section 2")


def _dig(name: str, server: ServerLookup) -> Snippet:
    host, _, port = server.server.rpartition(":")
    flag = "" if port == "53" else f" -p {port}"
    return Snippet(
        product="shell", code=f"dig{flag} @{host.strip('[]')} {name} A\ndig{flag} @{host.strip('[]')} {name} AAAA"
    )


def withheld(name: str, server: ServerLookup) -> Unresolved:
    """An answer without addresses for which the server itself says that a policy is the reason (RFC 8914)."""
    return Unresolved(
        summary=f"name server {server.server} withholds {name} by policy ({server.outcome}{_reason(server)})",
        seen=f"{server.outcome} from {server.server}{_reason(server)}",
        remedy=Remedy(
            text=f"Allow {name} in the filter of the name server {server.server}. If the record leads to a private "
            "address, it is the protection against DNS rebinding that takes it out: except the name there (dnsmasq: "
            "rebind-domain-ok, Unbound: private-domain, routers: list of trusted names).",
            action="Allow the name in the filter or rebind protection of the name server",
            snippets=(
                Snippet(product="dnsmasq", code=f"rebind-domain-ok=/{name}/"),
                Snippet(product="Unbound", code=f'server:\n  private-domain: "{name}"'),
                _dig(name, server),
            ),
        ),
        sources=("RFC 8914 sections 4.16 to 4.19", "dnsmasq(8), --rebind-domain-ok", "unbound.conf(5), private-domain"),
    )


def _by_policy(server: ServerLookup) -> bool:
    return server.decisive.extended_error.split(" ", 1)[0] in _POLICY_CODES


def _nonexistent(name: str, server: ServerLookup) -> Unresolved:
    if _by_policy(server):
        return withheld(name, server)
    chain = server.decisive.chain
    if chain:
        return _dangling(name, server, chain, "does not exist (NXDOMAIN)")
    return Unresolved(
        summary=f"{name} does not exist: name server {server.server} answers NXDOMAIN",
        seen=f"NXDOMAIN from {server.server}{_reason(server)}",
        remedy=Remedy(
            text=f"Check the spelling of the host in the API URL; if it is right, create the record for {name} (an "
            "alias or A/AAAA of the load balancer). If the name lives in a private zone, this machine must ask the "
            "name server of that zone (VPN).",
            snippets=(_dig(name, server),),
        ),
    )


def _dangling(name: str, server: ServerLookup, chain: tuple[str, ...], what: str) -> Unresolved:
    return Unresolved(
        summary=f"{name} is an alias (CNAME) of {chain[-1]}, which {what}",
        seen=f"{name} -> {' -> '.join(chain)}: {server.outcome} from {server.server}",
        remedy=Remedy(
            text=f"If {chain[-1]} is a name of a private zone (private endpoint, VPN), let this machine ask the name "
            f"server of that zone. Else the load balancer was probably removed or renamed: let the CNAME of {name} "
            "point to the one in use, for a dangling alias in a public zone can be taken over by whoever registers its "
            "target.",
            snippets=(_dig(name, server),),
        ),
        sources=("RFC 1034 section 3.6.2",),
    )


def _no_data(name: str, server: ServerLookup) -> Unresolved:
    if _by_policy(server):
        return withheld(name, server)
    chain = server.decisive.chain
    if chain:
        return _dangling(name, server, chain, "has neither an A nor an AAAA record")
    return Unresolved(
        summary=f"{name} exists in DNS but has neither an A nor an AAAA record (name server {server.server})",
        seen=f"no error and no address from {server.server}{_reason(server)}",
        remedy=Remedy(
            text=f"Add an A or AAAA record (or an alias of the load balancer) to {name}. If the zone has a private "
            "twin, the record may be in the other one only.",
            snippets=(_dig(name, server),),
        ),
    )


def _server_failure(name: str, server: ServerLookup) -> Unresolved:
    code = server.decisive.extended_error.split(" ", 1)[0]
    causes = {
        **dict.fromkeys(
            _DNSSEC_CODES,
            f"DNSSEC validation of {name} fails: renew the zone's signatures, or correct the DS record at its parent.",
        ),
        **dict.fromkeys(_POLICY_CODES, f"The resolver blocks {name} by policy: have it allowed there."),
    }
    general = (
        f"The resolver could not get an answer from the authoritative servers of {name}: look at their reachability, "
        "the delegation (NS records) and, with DNSSEC, the signatures; the same question with +cd succeeds if DNSSEC "
        "is the cause."
    )
    return Unresolved(
        summary=f"name server {server.server} fails to look up {name} (SERVFAIL{_reason(server)})",
        seen=f"SERVFAIL from {server.server}{_reason(server)}",
        remedy=Remedy(
            text=causes.get(code, general),
            snippets=(
                Snippet(product="shell", code=f"{_dig(name, server).code.splitlines()[0]} +cd\ndig +trace {name}"),
            ),
        ),
        sources=("RFC 2308 section 7.1", "RFC 8914"),
    )


def _refused(name: str, server: ServerLookup) -> Unresolved:
    return Unresolved(
        summary=f"name server {server.server} refuses to answer for {name} "
        f"({server.decisive.detail or 'REFUSED'}{_reason(server)})",
        seen=f"REFUSED from {server.server}{_reason(server)}",
        remedy=Remedy(
            text="The server does not serve this client, or not this name: allow this network in the server's access "
            "list (and recursion), or configure a resolver that is meant for this machine. Some DNS filters refuse "
            f"blocked names: then allow {name}.",
            snippets=(_dig(name, server),),
        ),
        sources=("RFC 1035 section 4.1.1 (RCODE 5)", "RFC 8914"),
    )


def _silent(name: str, server: ServerLookup) -> Unresolved:
    if "while TCP answers" in server.decisive.detail:
        return _udp_filtered(name, server)
    if "while UDP answers" in server.decisive.detail:
        return _tcp_filtered(name, server)
    return Unresolved(
        summary=f"name server {server.server} does not answer: {server.decisive.detail}",
        seen=server.decisive.detail,
        remedy=Remedy(
            text=f"{name} cannot be looked up from here at all: check that the name server {server.server} runs and "
            "that UDP and TCP to its port pass the firewalls (VPN up?), or configure another one.",
            snippets=(_dig(name, server),),
        ),
        sources=("RFC 7766 section 5", "resolv.conf(5)"),
    )


def _udp_filtered(name: str, server: ServerLookup) -> Unresolved:
    return Unresolved(
        summary=f"name server {server.server} does not answer over UDP, only over TCP: programs cannot look {name} up",
        seen=server.decisive.detail,
        remedy=Remedy(
            text=f"Open UDP to {server.server} in the firewalls and security groups between: programs ask over UDP, "
            "and over TCP only after a truncated answer.",
            action="Open UDP to the name server in firewalls and security groups",
            snippets=(_dig(name, server),),
        ),
        sources=("resolv.conf(5), use-vc", "RFC 7766 section 5"),
    )


def _tcp_filtered(name: str, server: ServerLookup) -> Unresolved:
    return Unresolved(
        summary=f"name server {server.server} answers over UDP, not over TCP, by which programs on this machine ask: "
        f"they cannot look {name} up",
        seen=server.decisive.detail,
        owner=Owner.CLIENT,
        remedy=Remedy(
            text=f"Take use-vc out of the options in /etc/resolv.conf (or of RES_OPTIONS), or open TCP to "
            f"{server.server}.",
            action="Take use-vc out of the resolver's options, or open TCP to the name server",
            snippets=(_dig(name, server),),
        ),
        sources=("resolv.conf(5), use-vc",),
    )


def _not_sent(name: str, server: ServerLookup) -> Unresolved:
    return Unresolved(
        verdict=Verdict.INCONCLUSIVE,
        summary=f"this machine does not let the query for {name} out to {server.server} ({server.decisive.detail})",
        seen=server.decisive.detail,
        owner=Owner.CLIENT,
        remedy=Remedy(
            text="A rule of this machine's own firewall, a security agent or a full descriptor table forbids it; "
            "nothing is known of the target. Run again where DNS queries are allowed, or give the address with "
            "--resolve HOST:PORT:ADDRESS."
        ),
        sources=("send(2), EPERM",),
    )


def _unusable_answer(name: str, server: ServerLookup) -> Unresolved:
    return Unresolved(
        summary=f"name server {server.server} gives no usable answer for {name}: {server.decisive.detail}",
        seen=server.decisive.detail,
        remedy=Remedy(
            text=f"What answers at {server.server} is not a sound name server, or something on the way rewrites its "
            "answers: compare with another resolver (--nameserver ADDRESS).",
            snippets=(_dig(name, server),),
        ),
        sources=("RFC 1035 section 4",),
    )


def _reason(server: ServerLookup) -> str:
    return f", extended error {server.decisive.extended_error}" if server.decisive.extended_error else ""


REASONS = {
    LookupOutcome.NXDOMAIN: _nonexistent,
    LookupOutcome.NO_DATA: _no_data,
    LookupOutcome.SERVFAIL: _server_failure,
    LookupOutcome.REFUSED: _refused,
    LookupOutcome.TIMEOUT: _silent,
    LookupOutcome.UNREACHABLE: _silent,
    LookupOutcome.LOCAL: _not_sent,
    LookupOutcome.ERROR: _unusable_answer,
}
