"""Why a name does not resolve: the one sentence, the owner and the remedy for each way in which DNS says no."""

from __future__ import annotations

from dataclasses import replace

from btdiag.core.address import AddressKind, kind
from btdiag.core.finding import Owner, Remedy, Snippet
from btdiag.core.resolution import LookupOutcome, Resolution, ServerLookup, SystemLookup, View
from btdiag.families.dns.causes import REASONS, Unresolved, withheld


def why_unresolved(resolution: Resolution) -> Unresolved:
    """The reason, from the first resolver's answers; what the others know goes into the remedy."""
    if not resolution.views:
        raise ValueError("no resolver was asked")
    view = resolution.views[0]
    if view.system is not None and any(server.addresses for server in view.servers):
        return _family_silent(resolution, view.system) or _system_alone(resolution, view.system)
    server = _spokesman(view.servers)
    if server is None:
        return _system_only(resolution, view.system)
    reason = REASONS[server.outcome](resolution.name, server)
    return _with_elsewhere(resolution, reason)


def _spokesman(servers: tuple[ServerLookup, ...]) -> ServerLookup | None:
    """The first server that answered anything; else the first one."""
    silent = {LookupOutcome.TIMEOUT, LookupOutcome.UNREACHABLE, LookupOutcome.LOCAL}
    return next((server for server in servers if server.outcome not in silent), servers[0] if servers else None)


def _system_alone(resolution: Resolution, system: SystemLookup) -> Unresolved:
    knowing = next(server for server in resolution.views[0].servers if server.addresses)
    name = resolution.name
    if knowing.loss is not None and not knowing.loss.of_edns and knowing.loss.lost > 1:
        count = f"{knowing.loss.lost} of {knowing.loss.asked} queries to name server {knowing.server}"
        return Unresolved(
            summary=f"programs on this machine cannot resolve {name} ({system.error}): {count} stay unanswered",
            seen=f"getaddrinfo: {system.error}; {count} lost",
            remedy=Remedy(
                text=f"Look at the name server {knowing.server} (load, rate limit, full connection table on the way) "
                "and at the line to it: it knows the name, and its answers get lost."
            ),
            sources=("resolv.conf(5), timeout and attempts",),
        )
    if (impatient := _impatient(resolution, knowing, system)) is not None:
        return impatient
    return Unresolved(
        summary=f"programs on this machine cannot resolve {name} ({system.error}), though its name server "
        f"{knowing.server} answers {', '.join(knowing.addresses)}",
        seen=f"getaddrinfo: {system.error} {system.detail}".strip(),
        owner=Owner.CLIENT,
        remedy=Remedy(
            text="Look at what stands between the programs and DNS on this machine: the hosts line of "
            "/etc/nsswitch.conf, a caching daemon (nscd, systemd-resolved) that remembers an old failure, a container "
            "without the resolver's libraries.",
            snippets=(Snippet(product="shell", code=f"getent ahosts {name}\nresolvectl flush-caches"),),
        ),
        sources=("nsswitch.conf(5)",),
    )


def _impatient(resolution: Resolution, knowing: ServerLookup, system: SystemLookup) -> Unresolved | None:
    """Where the answer comes later than the resolver's options have programs wait."""
    rules, took = resolution.views[0].rules, max(answer.duration_s for answer in knowing.answers)
    if took < rules.patience_s:
        return None
    options = f"timeout:{rules.timeout_s} attempts:{rules.attempts}"
    return Unresolved(
        summary=f"programs on this machine cannot resolve {resolution.name} ({system.error}): name server "
        f"{knowing.server} answers after {took:.1f} s, and by the resolver's options ({options}) they give up after "
        f"{rules.patience_s} s",
        seen=f"getaddrinfo: {system.error} after {system.duration_s:.1f} s; options {options}",
        owner=Owner.CLIENT,
        remedy=Remedy(
            text=f"Raise timeout and attempts in the options of /etc/resolv.conf (or of RES_OPTIONS), or find out why "
            f"{knowing.server} is slow.",
            action="Raise timeout and attempts in the resolver's options",
        ),
        sources=("resolv.conf(5), timeout and attempts",),
    )


def _family_silent(resolution: Resolution, system: SystemLookup) -> Unresolved | None:
    """Where programs fail, for they ask for both families and one question is never answered."""
    for server in resolution.views[0].servers:
        for answer in server.answers:
            if server.addresses and answer.outcome in {LookupOutcome.TIMEOUT, LookupOutcome.SERVFAIL}:
                silent = answer.outcome is LookupOutcome.TIMEOUT
                did = "does not answer" if silent else "fails (SERVFAIL) on"
                return Unresolved(
                    summary=f"programs on this machine cannot resolve {resolution.name} ({system.error}): name server "
                    f"{server.server} answers {', '.join(server.addresses)}, and {did} the {answer.qtype} question",
                    seen=f"getaddrinfo: {system.error} {system.detail}".strip(),
                    remedy=Remedy(
                        text=f"Let the name server {server.server}, or the one it asks, answer the {answer.qtype} "
                        f"question for {resolution.name} with no records (NOERROR); programs ask for both families."
                    ),
                    sources=("RFC 4074 section 4", "getaddrinfo(3)"),
                )
    return None


def _system_only(resolution: Resolution, system: SystemLookup | None) -> Unresolved:
    """Only getaddrinfo was asked (a localhost name, or no name server is configured), and it tells little."""
    error = system.error if system else None
    said = f"{error} {system.detail}".strip() if system else "nothing"
    return Unresolved(
        summary=f"this machine's resolver has no address for {resolution.name} ({error})",
        seen=f"getaddrinfo: {said}",
        remedy=Remedy(
            text=f"Correct the host in the URL, or make {resolution.name} known: by a DNS record, or by an entry in "
            "this machine's hosts file. No name server could be asked directly; --nameserver ADDRESS names one."
        ),
        sources=("getaddrinfo(3)",),
    )


def _rebinding(resolution: Resolution, knowing: View) -> bool:
    """Whether an empty answer stands where another resolver gives private addresses alone: what the protection against
    DNS rebinding makes of it, and what a public twin of a private zone looks like as well."""
    servers = resolution.views[0].servers
    empty = bool(servers) and all(server.outcome is LookupOutcome.NO_DATA for server in servers)
    return empty and all(kind(address) is AddressKind.PRIVATE for address in knowing.addresses)


def _with_elsewhere(resolution: Resolution, reason: Unresolved) -> Unresolved:
    """Another resolver that knows the name shows a private zone or a filter: its answer belongs into the remedy."""
    knowing = [view for view in resolution.views[1:] if view.addresses]
    if not knowing:
        return reason
    if _rebinding(resolution, knowing[0]):
        server = resolution.views[0].servers[0]
        reason = replace(withheld(resolution.name, server), summary=reason.summary, seen=reason.seen)
    others = "; ".join(f"{view.label} answers {', '.join(view.addresses)}" for view in knowing)
    return Unresolved(
        summary=f"{reason.summary} ({others})",
        seen=f"{reason.seen}; {others}",
        remedy=Remedy(
            text=f"{reason.remedy.text} Here {others}: let this machine use it too.", snippets=reason.remedy.snippets
        ),
        verdict=reason.verdict,
        owner=reason.owner,
        sources=reason.sources,
    )
