"""The claim on the target's address space: all users meet the same one, whichever address and resolver they get."""

from __future__ import annotations

from btdiag.core.address import Space
from btdiag.core.address import space as space_of
from btdiag.core.finding import Finding, HopName, Owner, Verdict
from btdiag.core.resolution import Resolution
from btdiag.core.target import Target
from btdiag.families.dns.judge.addresses import unusable
from btdiag.families.dns.judge.resolves import answers
from btdiag.families.lna import remedy
from btdiag.families.lna.facts import BrowserSurvey
from btdiag.families.lna.judge.reading import proof, readings


def address_space_is_stable(survey: BrowserSurvey, resolution: Resolution, target: Target) -> Finding:
    """The claim of lna.address-space-is-stable: every address of every resolver is in one space, the browser's too."""
    spaces = _spaces(resolution, target)
    seen = {reading.seen_space for reading in readings(survey, target)} & {str(space) for space in Space}
    parts = "; ".join(f"{space}: {', '.join(addresses)}" for space, addresses in spaces.items())
    if len(spaces) > 1:
        return _mixed(survey, resolution, target, parts)
    if survey.pinned in _all_addresses(resolution) and seen and not seen <= set(spaces):
        return _seen_otherwise(survey, target, parts, seen)
    where = f"; {survey.browser.words} sees it so" if seen and seen <= set(spaces) else ""
    text = parts or f"the proxy {survey.proxy} resolves the name"
    return Finding(verdict=Verdict.PASS, summary=f"all users of {target.host} meet one address space ({text}){where}")


def _all_addresses(resolution: Resolution) -> tuple[str, ...]:
    given = (*resolution.addresses, *(address for view in resolution.views for address in view.addresses))
    return tuple(address for address in dict.fromkeys(given) if address not in unusable(resolution))


def _spaces(resolution: Resolution, target: Target) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for address in _all_addresses(resolution):
        found.setdefault(str(space_of(address, target.address_spaces)), []).append(address)
    return found


def _mixed(survey: BrowserSurvey, resolution: Resolution, target: Target, parts: str) -> Finding:
    return Finding(
        verdict=Verdict.WARN,
        summary=f"Browsers treat the users of {target.host} differently, by the address each one gets ({parts}): some "
        "are asked for a permission, others are not",
        answer="Browsers treat users differently, by the address each one gets",
        hop=HopName.DNS,
        owner=Owner.DNS,
        expected="addresses of one address space for everybody",
        seen=parts,
        evidence=(answers(resolution),),
        remedy=remedy.one_space(target.host),
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
        evidence=proof(readings(survey, target)[0], survey),
        remedy=remedy.same_overrides(),
        sources=(
            *remedy.SOURCES,
            "https://chromeenterprise.google/policies/#LocalNetworkAccessIpAddressSpaceOverrides",
        ),
    )
