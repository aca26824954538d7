"""What it means that programs on this machine get other addresses for the name than DNS gives for the very same one.

The certificate's owner and the load balancer are not to blame for what answers there: the finding names what leads
astray, and the rest follows from it.
"""

from __future__ import annotations

from btdiag.core.exchange import Exchange
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.handshake import Astray, Connection
from btdiag.core.resolution import Detour, DetourKind, Resolution
from btdiag.core.target import Target

SOURCES = ("hosts(5)", "resolv.conf(5), search and ndots", "nsswitch.conf(5)")


def led_elsewhere(astray: Astray, resolution: Resolution, target: Target, shown: Evidence) -> Finding | None:
    """The finding where programs are led elsewhere; None where nothing leads them, or nothing is wrong with that: an
    entry made on purpose leads to a place that works."""
    detour = astray.detour
    if detour is None or astray.there is None or not (astray.is_proved or _both_fail(astray)):
        return None
    there = ", ".join(resolution.addresses[:4])
    proved = astray.is_proved
    return Finding(
        verdict=Verdict.FAIL if proved else Verdict.WARN,
        summary=f"programs on this machine go to {there} for {target.host}, by {_by(detour)}, and not to "
        f"{_straight(detour)}: {_compared(astray)}",
        answer=_ANSWERS[detour.kind] if proved else "Name resolution here differs from DNS, and neither place works",
        hop=HopName.DNS,
        owner=Owner.DNS if detour.kind is DetourKind.RESOLVER else Owner.CLIENT,
        expected=f"{target.host} leads to {_straight(detour)}",
        seen=f"{there}, by {_by(detour)}",
        evidence=(shown,),
        remedy=_remedy(detour, target),
        sources=SOURCES,
    )


def aside(detour: Detour | None) -> str:
    """The same in a few words, for a place that works."""
    return f", by {_by(detour)}; DNS itself leads to {_straight(detour)}" if detour is not None else ""


_ANSWERS = {
    DetourKind.HOSTS_FILE: "This machine's hosts file sends programs to a place that is not the data plane",
    DetourKind.SEARCH_LIST: "This machine's DNS search list sends programs to a place that is not the data plane",
    DetourKind.OTHER: "This machine resolves the name otherwise than DNS, to a place that is not the data plane",
    DetourKind.RESOLVER: "This machine's resolver leads to a place that is not the data plane; another one is right",
}


def _both_fail(astray: Astray) -> bool:
    """Neither place works: the detour may be one fault of two."""
    ends = [one for one in (astray.there, astray.straight) if one is not None]
    return len(ends) == 2 and all(one.broke_at is not None or one.distrust is not None for one in ends)


def _by(detour: Detour) -> str:
    if detour.kind is DetourKind.HOSTS_FILE:
        return f"the hosts file ({detour.where})"
    if detour.kind is DetourKind.SEARCH_LIST:
        rule = ", where any name is answered" if detour.wildcard else ""
        return f"the search list, as {detour.where}{rule}"
    if detour.kind is DetourKind.RESOLVER:
        return "its own resolver"
    return "something other than its name servers (nsswitch.conf, nscd, systemd-resolved)"


def _straight(detour: Detour) -> str:
    if not detour.straight:
        return "a name that DNS knows (this one does not exist)"
    said = ", ".join(detour.straight[:4])
    return f"{said} (resolver {detour.where})" if detour.kind is DetourKind.RESOLVER else f"{said}, as DNS says"


def _compared(astray: Astray) -> str:
    assert astray.there is not None
    there = f"the first is no place for it ({_came_to(astray.there, astray.straight)})"
    if astray.straight is None:
        return there
    if astray.is_proved:
        return f"{there}, and {astray.straight.label} is"
    return f"{there}, and {astray.straight.label} neither ({_came_to(astray.straight)})"


def _came_to(one: Connection, beside: Connection | None = None) -> str:
    if one.trouble is not None:
        return f"{one.label}: {one.trouble.detail}"
    if one.distrust is not None:
        return f"{one.label}: {one.distrust.message}"
    status = _status(one.greeting)
    other = _status(beside.greeting) if beside is not None else ""
    return f"{one.label}: HEAD / is answered {status}{f', there {other}' if other else ''}"


def _status(seen: Exchange | None) -> str:
    return str(seen.status) if seen is not None and seen.status is not None else "nothing"


def _remedy(detour: Detour, target: Target) -> Remedy:
    name = target.host
    if detour.kind is DetourKind.HOSTS_FILE:
        return Remedy(
            text=f"Remove {name} from {detour.where.partition(' line ')[0]} ({detour.where}), or correct its address; "
            "in Kubernetes look at hostAliases, in Docker at extra_hosts.",
            action="Remove the entry from the hosts file, or correct its address",
            snippets=(Snippet(product="shell", code=f"getent ahosts {name}\ngrep -n {name} /etc/hosts"),),
        )
    if detour.kind is DetourKind.SEARCH_LIST:
        where = detour.where.removeprefix(f"{name}.")
        wildcard = f", or remove the wildcard record *.{where}" if detour.wildcard else ""
        known = "" if detour.straight else f" {name} itself does not exist in DNS: create its record first."
        return Remedy(
            text=f"Take {where} out of this machine's search list or lower ndots, so that {name} is asked as it "
            f"stands{wildcard}; a dot at the end of the host asks for the very name.{known}",
            action=f"Take {where} out of the DNS search list, or lower ndots",
            snippets=(
                Snippet(product="resolv.conf", code="options ndots:1"),
                Snippet(product="Kubernetes", code='dnsConfig:\n  options:\n    - name: ndots\n      value: "1"'),
            ),
        )
    if detour.kind is DetourKind.RESOLVER:
        return Remedy(
            text=f"Give this machine the resolver {detour.where}, or have the record of {name} corrected at its own "
            "(an old record that is still cached, a zone of the same name, a container's embedded DNS).",
            action=f"Correct the record of {name} at this machine's resolver, or let it use the other one",
            snippets=(Snippet(product="shell", code=f"dig {name}\ndig @{detour.where.split(':')[0]} {name}"),),
        )
    return Remedy(
        text=f"Look at what answers for {name} in place of DNS: the hosts line of /etc/nsswitch.conf, a caching daemon "
        "(nscd, systemd-resolved) with an old answer, a VPN client or security agent.",
        action="Look at nsswitch.conf and caching daemons on this machine: they do not give DNS's answer",
        snippets=(Snippet(product="shell", code=f"getent ahosts {name}\nresolvectl query {name}"),),
    )
