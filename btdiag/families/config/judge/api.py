"""Does the API run as its files say: the version, the origins that it allows."""

from __future__ import annotations

import re
from collections.abc import Mapping

from btdiag.config.stated import IMAGE, ORIGIN
from btdiag.core import evidence
from btdiag.core.answers import exchange_proofs, facts_of, in_words
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Finding, HopName, Owner, Verdict
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.sender import json_body
from btdiag.core.target import Target
from btdiag.families.config.facts import OriginTrials
from btdiag.families.config.judge.shared import declared_settings, nothing, single, unmeasured
from btdiag.families.config.remedy import FETCH, HELM, allow_origin, roll_out

_RELEASE = re.compile(r"v?(\d{1,5}\.\d{1,5}\.\d{1,5})(?:[-+].*)?")


def image_is_rolled_out(target: Target, version: PerAddress[Exchange] | NotMeasured) -> Finding:
    """Does GET /version name the version of the image that the files pin?"""
    setting = single(target, IMAGE)
    if isinstance(setting, Finding):
        return setting
    wanted = _RELEASE.fullmatch(setting.value)
    if wanted is None:
        return Finding(
            verdict=Verdict.SKIP,
            summary=f"{setting} is no release such as v2.9.0: nothing to compare GET /version with",
        )
    if isinstance(version, NotMeasured):
        return unmeasured(version)
    found = {label: name for label, one in facts_of(version).items() if (name := _release(one))}
    if not found:
        return Finding(
            verdict=Verdict.SKIP,
            summary=f"the image is {setting.value} in {setting.where}, and GET /version names no release",
        )
    other = {label: name for label, name in found.items() if name != wanted[1]}
    if not other:
        return Finding(
            verdict=Verdict.PASS, summary=f"the image is {setting.value} in {setting.where}, as GET /version says"
        )
    return _another(setting.value, setting.where, found, other, facts_of(version))


def _another(
    value: str, where: str, found: Mapping[str, str], other: Mapping[str, str], facts: Mapping[str, Exchange]
) -> Finding:
    names = ", ".join(sorted(set(other.values())))
    some = f" on {len(other)} of {len(found)} addresses" if len(other) < len(found) else ""
    meaning = "the roll-out is not complete" if some else "it is not rolled out, or another deployment answers"
    return Finding(
        verdict=Verdict.WARN,
        summary=f"the image is {value} in {where}, and GET /version says {names}{some}: {meaning}",
        answer="The API does not run the version that the files declare",
        hop=HopName.CONFIG,
        owner=Owner.API,
        expected=value,
        seen=names,
        evidence=(
            evidence.table("GET /version", ("way", "version"), sorted(found.items())),
            *exchange_proofs(facts[next(iter(other))]),
        ),
        remedy=roll_out(value, names),
        sources=(HELM,),
    )


def _release(seen: Exchange) -> str:
    body = json_body(seen)
    if seen.status != 200 or not isinstance(body, dict):
        return ""
    match = _RELEASE.fullmatch(str(body.get("version", ""))[:100])
    return match[1] if match else ""


def origins_are_allowed(target: Target, trials: OriginTrials | NotMeasured) -> Finding:
    """Does the API allow the origins that the files name, as it allows the web app's?"""
    if not declared_settings(target, ORIGIN):
        return nothing(target, ORIGIN)
    if isinstance(trials, NotMeasured):
        return unmeasured(trials)
    return _origins(target, trials)


def _origins(target: Target, trials: OriginTrials) -> Finding:
    own = next(one for one in trials.trials if one.own)
    refused = [one for one in trials.trials if not one.own and not one.allowed]
    tried = len(trials.trials) - 1
    if not refused:
        more = f" ({trials.left_out} more were not tried)" if trials.left_out else ""
        return Finding(verdict=Verdict.PASS, summary=f"{tried} of {tried} origins of the files are allowed{more}")
    if not own.allowed:
        return Finding(
            verdict=Verdict.SKIP,
            summary=f"the web app's own origin is refused as well ({in_words(own.exchange)}), so this says nothing of "
            "the setting: see cors",
        )
    first = refused[0]
    where = next(one.where for one in target.settings if one.value == first.origin)
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{len(refused)} of {tried} origins that the files allow are refused, and the web app's is not:"
        f" {first.origin} in {where} is not in effect",
        answer="Pages of an origin that the files allow cannot call the API",
        hop=HopName.CONFIG,
        owner=Owner.API,
        expected=f"Access-Control-Allow-Origin: {first.origin}",
        seen=f"{in_words(first.exchange)}, Access-Control-Allow-Origin: "
        f"{first.exchange.header('access-control-allow-origin') or 'none'}",
        evidence=(
            evidence.table(
                "Preflights by origin",
                ("origin", "answer", "allowed"),
                [(one.origin, in_words(one.exchange), "yes" if one.allowed else "no") for one in trials.trials],
            ),
            *exchange_proofs(first.exchange),
        ),
        remedy=allow_origin(first.origin),
        sources=(FETCH, "https://www.braintrust.dev/docs/admin/self-hosting"),
    )
