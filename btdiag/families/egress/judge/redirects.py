"""Hosts that send their visitors on to another one: a canonical name, another host that is needed too, or a portal."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from urllib.parse import urlsplit

from btdiag.core.sender import redirect
from btdiag.families.egress.remedy import HostReading


def led_on(reading: HostReading, names: Collection[str]) -> HostReading:
    """A host that sends its visitors on to another one which nobody named: whoever follows needs that one, too."""
    seen = reading.trial.answer
    leads = redirect(seen) if seen is not None else None
    there = urlsplit(leads.url).hostname or "" if leads is not None else ""
    if (
        reading.block is not None
        or reading.note
        or not there
        or there in names
        or _related(there, reading.trial.host.name)
    ):
        return reading
    told = f"{reading.name} redirects to {there}, which was not tried"
    if not reading.trial.host.named:
        return replace(reading, aside="; ".join(filter(None, (reading.aside, told))))
    return replace(
        reading,
        note=told,
        advice=f"If {there} is right, allow it and name it with --allow; if it is a login "
        "page or a portal, it stands in the way of the host.",
    )


def _related(one: str, other: str) -> bool:
    """Whether two host names are of one site, as a name and its canonical form are."""
    first, second = one.removeprefix("www."), other.removeprefix("www.")
    return first == second or first.endswith(f".{second}") or second.endswith(f".{first}")
