"""Does the API take the key, and if not: is it the key, or what a gateway makes of the header that carries it?

Asked again without a key, with one that nobody has, with the key in another header, and past the load balancer: what
changes the answer tells who refuses (RFC 9110 section 11.6.2 lets any hop ask for credentials).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from btdiag.core import evidence
from btdiag.core.answers import exchange_proofs, grouped, in_words
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.sender import sender
from btdiag.core.statuses import explain_answer
from btdiag.core.target import Target
from btdiag.families.readiness.facts import REFUSED, KeyContrast
from btdiag.families.readiness.judge.api import at_answering, fails
from btdiag.families.readiness.judge.root import PerExchange, PerRoots

_EXPECTED = "200 to GET /ping with the API key"
_BY_KEY = frozenset({401, 403})
_SOURCES = ("RFC 9110 section 11.6.2 (Authorization)", "RFC 9110 section 15.5.2 (401)")
_OF_ONE_REQUEST = re.compile(r"[0-9a-f]{6,}|[0-9]+", re.IGNORECASE)  # ids and times differ in equal answers
_ANOTHER_KEY = Remedy(
    text="Use a valid key of the organisation that this data plane serves; if the key works elsewhere, compare "
    "PRIMARY_ORG_NAME and ALLOWED_ORG_IDS of the API server, and check that it reaches its control plane "
    "(BRAINTRUST_APP_URL).",
    action="Use a key of the organisation that this data plane serves, or compare the API's PRIMARY_ORG_NAME",
)
_PASS_IT_ON = Remedy(
    text="Let the gateway pass Authorization on as it came: take out the rule that sets or clears it, and the login in "
    "front of the API's host.",
    action="Let the gateway pass the Authorization header on: take out the rule that sets or clears it",
    snippets=(
        Snippet(product="nginx", code="proxy_set_header Authorization $http_authorization;  # and no auth_basic here"),
        Snippet(
            product="ingress-nginx", code="# take out: nginx.ingress.kubernetes.io/auth-type, auth-url, auth-signin"
        ),
        Snippet(product="HAProxy", code="# take out: http-request del-header Authorization, set-header Authorization"),
        Snippet(
            product="Envoy", code="# take Authorization out of request_headers_to_remove; jwt_authn: forward: true"
        ),
    ),
)


def key_is_accepted(
    roots: PerRoots, version: PerExchange, ping: PerExchange, contrast: KeyContrast | NotMeasured, target: Target
) -> Finding:
    """The claim of readiness.key-is-accepted: GET /ping with the API key is answered 200."""
    gate, seen = at_answering(roots, version, ping)
    if gate is not None:
        return gate
    withheld = next((one for one in seen.values() if one.key_withheld), None)
    if withheld is not None:
        return _withheld(withheld)
    bad = {label: one for label, one in seen.items() if one.failure or one.status != 200}
    if not bad:
        return Finding(verdict=Verdict.PASS, summary=f"the API key{_origin(target)} is accepted by GET /ping")
    shown = next(iter(bad.values()))
    if all(one.status == 404 for one in bad.values()):
        return _no_ping(shown)
    if shown.status in REFUSED and isinstance(contrast, KeyContrast):
        return _refused(bad, len(seen), contrast, target)
    if shown.status in _BY_KEY and sender(shown).hop is HopName.API:
        return _rejected(bad, len(seen), target, "")
    return fails("GET /ping with the API key fails", bad, len(seen), explain_answer(shown), _EXPECTED)


def alike(one: Exchange, other: Exchange) -> bool:
    """Are the two the same answer, but for ids and times?"""
    return _stripped(one) == _stripped(other)


def _stripped(seen: Exchange) -> tuple[object, ...]:
    asks = seen.header("www-authenticate") or ""
    trouble = seen.failure.trouble if seen.failure else None
    return seen.status, trouble, asks, seen.header("content-type"), _OF_ONE_REQUEST.sub("", seen.body)


def _refused(bad: Mapping[str, Exchange], of: int, tried: KeyContrast, target: Target) -> Finding:
    """Refused with the key: who refuses follows from what changes the answer."""
    shown = next(iter(bad.values()))
    if _good(tried.direct) or _good(tried.other_header):
        return _taken_away(bad, of, tried)
    if shown.status not in _BY_KEY:
        return fails("GET /ping with the API key fails", bad, of, explain_answer(shown), _EXPECTED)
    if tried.direct is not None and tried.direct.status in _BY_KEY:
        return _rejected(bad, of, target, f"; asked directly, the API server says {in_words(tried.direct)}")
    if sender(shown).hop is not HopName.API:
        return fails("GET /ping with the API key fails", bad, of, explain_answer(shown), _EXPECTED)
    if alike(tried.made_up, shown) and not alike(tried.without, shown):
        told = "; a made-up key gets the same answer, no key another one, so the key does arrive"
        return _rejected(bad, of, target, told)
    if not alike(tried.made_up, shown):
        told = "; a made-up key gets another answer, so this one is known there, and may not be used"
        return _rejected(bad, of, target, told)
    return _not_told(bad, of, tried)


def _good(seen: Exchange | None) -> bool:
    return seen is not None and seen.status == 200


def _taken_away(bad: Mapping[str, Exchange], of: int, tried: KeyContrast) -> Finding:
    shown = next(iter(bad.values()))
    where = "when it is asked directly" if _good(tried.direct) else "where it comes as x-bt-auth-token"
    like, what = _what_a_hop_does(shown, tried)
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"the API accepts the key {where}, and through the load balancer it is refused ({grouped(bad, of)}; "
        f"{like}): a hop in front {what}",
        answer="The API key is good, but a gateway in front of the API does not pass it on",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected=_EXPECTED,
        seen=in_words(shown),
        evidence=(_table(shown, tried), *exchange_proofs(shown)),
        remedy=_PASS_IT_ON,
        sources=_SOURCES,
    )


def _what_a_hop_does(shown: Exchange, tried: KeyContrast) -> tuple[str, str]:
    """What the answer is like, and what follows from that for the header."""
    if shown.status == 400 and tried.without.status != 400:
        return "400 for want of one Authorization alone", "adds a second Authorization to it"
    if not alike(tried.without, shown):
        return "another answer than without a key", "puts another Authorization in its place"
    if not alike(tried.made_up, shown):
        return "the same answer as without a key", "takes the Authorization header away"
    same = "the same answer as without a key and with a made-up one"
    return same, "takes the Authorization header away, or puts another in its place"


def _not_told(bad: Mapping[str, Exchange], of: int, tried: KeyContrast) -> Finding:
    shown = next(iter(bad.values()))
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"GET /ping is refused with the API key ({grouped(bad, of)}), and just so without one and with a "
        "made-up one: either the key is not valid here, or a gateway takes the Authorization header away; --backend "
        "URL tells",
        answer="The API key is refused: it is not valid here, or a gateway drops the header",
        hop=HopName.API,
        owner=Owner.API,
        expected=_EXPECTED,
        seen=in_words(shown),
        evidence=(_table(shown, tried), *exchange_proofs(shown)),
        remedy=Remedy(
            text=f"{_ANOTHER_KEY.text} If it is, ask the API server directly (--backend), and let the gateway pass "
            "Authorization on.",
            action="Run again with --backend URL to tell a key that is not valid from a header that is lost",
            snippets=_PASS_IT_ON.snippets,
        ),
        sources=_SOURCES,
    )


def _table(shown: Exchange, tried: KeyContrast) -> Evidence:
    rows = [
        ["the API key", in_words(shown)],
        ["no key", in_words(tried.without)],
        ["a made-up key", in_words(tried.made_up)],
    ]
    if tried.other_header is not None:
        rows.append(["the API key as x-bt-auth-token", in_words(tried.other_header)])
    if tried.direct is not None:
        rows.append(["the API key, past the load balancer", in_words(tried.direct)])
    return evidence.table("GET /ping with", ["what was sent", "answer"], rows)


def _rejected(bad: Mapping[str, Exchange], of: int, target: Target, told: str) -> Finding:
    shown = next(iter(bad.values()))
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"the API rejects the API key{_origin(target)}: {grouped(bad, of)}{told}",
        answer="The API rejects the API key",
        hop=HopName.API,
        owner=Owner.CLIENT,
        expected=_EXPECTED,
        seen=in_words(shown),
        evidence=exchange_proofs(shown),
        remedy=_ANOTHER_KEY,
        sources=_SOURCES,
    )


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
        seen=in_words(seen),
        evidence=exchange_proofs(seen),
        remedy=Remedy(
            text="Check that the load balancer routes all paths to the API server, and try the key with an SDK."
        ),
    )
