"""Is the API key accepted, and if not: did it arrive? Stripped, replaced, sent twice or truly rejected are told apart
by what the same question gets without a key, with a made-up one, in another header, and past the load balancer. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from btdiag.core import evidence
from btdiag.core.answers import facts_of, grouped, proofs, words
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Verdict
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.sender import sender
from btdiag.core.statuses import explain
from btdiag.core.target import Target
from btdiag.families.readiness.facts import KeyTrials
from btdiag.families.readiness.judge.api import at_answering, fails, status_in
from btdiag.families.readiness.judge.root import PerExchange, PerRoots
from btdiag.families.readiness.plan import REFUSED
from btdiag.families.readiness.remedy import doubled_key, rejected_key, stripped_key, unread_key

PerTrials = PerAddress[KeyTrials] | NotMeasured
_EXPECTED = "200 to GET /ping with the API key"
_SOURCES = (
    "RFC 9110 section 11.6.2",
    "RFC 9110 section 15.5.2",
    "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_set_header",
)


def key_is_accepted(
    roots: PerRoots, version: PerExchange, ping: PerExchange, trials: PerTrials, target: Target
) -> Finding:
    """The claim of readiness.key-is-accepted: GET /ping with the API key is answered 200."""
    gate, seen = at_answering(roots, version, ping)
    if gate is not None:
        return gate
    withheld = next((one for one in seen.values() if one.key_withheld), None)
    if withheld is not None:
        return _withheld(withheld)
    bad = {label: one for label, one in seen.items() if one.failure or status_in(one) != 200}
    if not bad:
        return Finding(verdict=Verdict.PASS, summary=f"the API key{_origin(target)} is accepted by GET /ping")
    label, shown = next(iter(bad.items()))
    if all(one.status == 404 for one in bad.values()):
        return _no_ping(shown)
    tried = facts_of(trials).get(label)
    if tried is not None and (story := _way_of_the_key(shown, tried, target)):
        return _refused(story, bad, len(seen), tried)
    if shown.status in REFUSED and sender(shown).hop is HopName.API:
        return _refused(_untold(target), bad, len(seen), tried)
    return fails("GET /ping with the API key fails", bad, len(seen), explain(shown), _EXPECTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Story:
    """What became of the key, and what to do."""

    claim: str
    why: str
    answer: str
    hop: HopName
    owner: Owner
    remedy: Remedy


def _way_of_the_key(seen: Exchange, tried: KeyTrials, target: Target) -> _Story | None:
    """By contrast; None where it tells nothing that the answer itself does not."""
    if sender(seen).hop is not HopName.API:
        return None
    arrives = next((one for one in (tried.direct, tried.token) if one is not None and one.status == 200), None)
    if arrives is not None and seen.status == 400 and tried.none.status != 400:
        return _doubled(seen, tried)
    if arrives is not None:
        return _changed(seen, tried, arrives is tried.direct)
    if tried.direct is not None and tried.direct.status in REFUSED:
        return _rejected(target, f"the API server itself answers {tried.direct.status} to it at {target.backend}")
    if not alike(seen, tried.none):
        return _rejected(target, f"a request without a key gets another answer ({words(tried.none)}), so it was read")
    return _unread(seen, target)


def _changed(seen: Exchange, tried: KeyTrials, direct: bool) -> _Story:
    same = "the same as without a key" if alike(seen, tried.none) else f"without a key {words(tried.none)}"
    where = "at the API server itself" if direct else "in the header x-bt-auth-token"
    return _Story(
        claim="the API key is good, but Authorization does not reach the API as it was sent",
        why=f"the same key is accepted {where}; the answer to Authorization is {same}",
        answer="The gateway strips or replaces the Authorization header: good API keys are refused",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        remedy=stripped_key(seen),
    )


def _doubled(seen: Exchange, tried: KeyTrials) -> _Story:
    return _Story(
        claim="the API key is good, but the API gets Authorization twice",
        why=f"the same key is accepted past the gateway or in another header, a request without a key gets "
        f"{words(tried.none)}, and only the key in Authorization 400",
        answer="The gateway adds a second Authorization header: good API keys are refused",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        remedy=doubled_key(seen),
    )


def _rejected(target: Target, why: str) -> _Story:
    return _Story(
        claim=f"the API rejects the API key{_origin(target)}",
        why=why,
        answer="The API rejects this API key: it arrives, and is not one of this data plane",
        hop=HopName.API,
        owner=Owner.CLIENT,
        remedy=rejected_key(),
    )


def _unread(seen: Exchange, target: Target) -> _Story:
    asked = "" if target.backend else "; --backend http://127.0.0.1:PORT (a port-forward) tells which"
    return _Story(
        claim=f"the API key{_origin(target)} makes no difference",
        why="the answer is the same without any key and with a made-up one: either Authorization does not arrive, or "
        f"the API says the same to wrong keys{asked}",
        answer="API calls are refused alike with the key and without: it may never arrive",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        remedy=unread_key(seen),
    )


def _untold(target: Target) -> _Story:
    return _rejected(target, "what a request without a key gets was not asked")


def alike(one: Exchange, other: Exchange) -> bool:
    """Whether two answers say the same, ids and times left out."""
    return (one.status, one.header("www-authenticate"), _said(one)) == (
        other.status,
        other.header("www-authenticate"),
        _said(other),
    )


def _said(seen: Exchange) -> str:
    return re.sub(r"[0-9a-f]*[0-9][0-9a-f-]*", "#", seen.body[:2000].lower())


def _refused(story: _Story, bad: Mapping[str, Exchange], of: int, tried: KeyTrials | None) -> Finding:
    shown = next(iter(bad.values()))
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{story.claim}: {grouped(bad, of)}; {story.why}",
        answer=story.answer,
        hop=story.hop,
        owner=story.owner,
        expected=_EXPECTED,
        seen=words(shown),
        evidence=(*proofs(shown), *_contrast(shown, tried)),
        remedy=story.remedy,
        sources=_SOURCES,
    )


def _contrast(shown: Exchange, tried: KeyTrials | None) -> tuple[Evidence, ...]:
    if tried is None:
        return ()
    asked = {
        "the key": shown,
        "no key": tried.none,
        "a made-up key": tried.made_up,
        "the key in x-bt-auth-token": tried.token,
        "the key at --backend": tried.direct,
    }
    rows = [
        (how, words(one), one.header("www-authenticate") or "", one.body[:120]) if one else (how, "not asked", "", "")
        for how, one in asked.items()
    ]
    return (evidence.table("GET /ping with and without the key", ("with", "answer", "WWW-Authenticate", "body"), rows),)


def _origin(target: Target) -> str:
    return f" from {target.api_key_source}" if target.api_key_source else ""


def _withheld(seen: Exchange) -> Finding:
    trusted = seen.tls_verified is not False
    return Finding(
        verdict=Verdict.SKIP,
        summary=f"the API key was not sent: {seen.key_withheld}"
        if trusted
        else "because connection.tls-is-trusted failed: the API key goes over verified TLS only",
        because=None if trusted else "connection.tls-is-trusted",
    )


def _no_ping(seen: Exchange) -> Finding:
    return Finding(
        verdict=Verdict.INCONCLUSIVE,
        summary="GET /ping does not exist at this target (404), so the API key could not be tried",
        hop=sender(seen).hop,
        owner=sender(seen).owner,
        expected=_EXPECTED,
        seen=words(seen),
        evidence=proofs(seen),
        remedy=Remedy(
            text="Check that the load balancer routes all paths to the API server, and try the key with an SDK."
        ),
    )
