"""The claim on the target's address space: all users meet the same one, whichever address and resolver they get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from btdiag.core import evidence
from btdiag.core.address import Space, described
from btdiag.core.address import space as space_of
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Verdict
from btdiag.core.resolution import Resolution
from btdiag.core.target import Target
from btdiag.families.dns.judge.addresses import unusable
from btdiag.families.dns.judge.resolves import questions_table
from btdiag.families.lna import remedy
from btdiag.families.lna.facts import TARGET_ITSELF, BrowserSurvey, CalledHost
from btdiag.families.lna.judge.reading import page_proofs, page_readings


def address_space_is_stable(
    survey: BrowserSurvey, resolution: Resolution, target: Target, places: Sequence[CalledHost] = ()
) -> Finding:
    """The claim of lna.address-space-is-stable: every address of every resolver is in one space, the browser's too; so
    are those that the system's resolver gives for the AI gateway and the bucket."""
    spaces = _spaces(resolution, target)
    itself = [reading for reading in page_readings(survey, target) if reading.visit.what == TARGET_ITSELF]
    seen = {reading.seen_space for reading in itself} & {str(space) for space in Space}
    parts = _in_words(spaces)
    if len(spaces) > 1:
        return _mixed(target.host, parts, questions_table(resolution))
    for place in places:
        others = _by_space(place.addresses, target)
        if place.what != TARGET_ITSELF and len(others) > 1:
            parts = _in_words(others)
            return _mixed(
                place.host, parts, evidence.table("Addresses", ("what", "host", "spaces"), _rows(places, target))
            )
    if survey.pinned in _all_addresses(resolution) and seen and not seen <= set(spaces):
        return _seen_otherwise(survey, target, parts, seen)
    where = f"; {survey.browser.words} sees it so" if seen and seen <= set(spaces) else ""
    text = parts or f"the proxy {survey.proxy} resolves the name"
    more = [f"{place.what}: {_in_words(_by_space(place.addresses, target))}" for place in places[1:] if place.addresses]
    beside = f"; {'; '.join(more)}" if more else ""
    return Finding(
        verdict=Verdict.PASS,
        summary=f"{target.host} has one address space for whoever asks these resolvers ({text}){where}{beside}",
        evidence=(
            evidence.table("Addresses of what the page calls", ("what", "host", "spaces"), _rows(places, target)),
        )
        if places
        else (),
    )


def _rows(places: Sequence[CalledHost], target: Target) -> list[tuple[str, str, str]]:
    told = [(place, [described(one, target.address_spaces) for one in place.addresses]) for place in places]
    return [(place.what, place.host, "; ".join(all_) or place.proxy or "no address") for place, all_ in told]


def _in_words(spaces: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{space}: {', '.join(addresses)}" for space, addresses in spaces.items())


def _all_addresses(resolution: Resolution) -> tuple[str, ...]:
    given = (*resolution.addresses, *(address for view in resolution.views for address in view.addresses))
    return tuple(address for address in dict.fromkeys(given) if address not in unusable(resolution))


def _spaces(resolution: Resolution, target: Target) -> dict[str, list[str]]:
    return _by_space(_all_addresses(resolution), target)


def _by_space(addresses: Sequence[str], target: Target) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for address in addresses:
        found.setdefault(str(space_of(address, target.address_spaces)), []).append(address)
    return found


def _mixed(host: str, parts: str, shown: Evidence) -> Finding:
    return Finding(
        verdict=Verdict.WARN,
        summary=f"Browsers treat the users of {host} differently, by the address each one gets ({parts}): some "
        "are asked for a permission, others are not",
        answer="Browsers treat users differently, by the address each one gets",
        hop=HopName.DNS,
        owner=Owner.DNS,
        expected="addresses of one address space for everybody",
        seen=parts,
        evidence=(shown,),
        remedy=remedy.one_space(host),
        sources=remedy.SOURCES,
    )


def _seen_otherwise(survey: BrowserSurvey, target: Target, parts: str, seen: set[str]) -> Finding:
    return Finding(
        verdict=Verdict.WARN,
        summary=f"{survey.browser.words} on this machine counts {survey.pinned} as {', '.join(sorted(seen))}, unlike "
        f"its address ({parts}): other users of {target.host} fare differently",
        answer="This machine's browser treats the target unlike other users' browsers",
        hop=HopName.BROWSER,
        owner=Owner.BROWSER,
        expected=parts,
        seen=", ".join(sorted(seen)),
        evidence=page_proofs(page_readings(survey, target)[0], survey),
        remedy=remedy.same_overrides(),
        sources=(
            *remedy.SOURCES,
            "https://chromeenterprise.google/policies/#LocalNetworkAccessIpAddressSpaceOverrides",
        ),
    )
