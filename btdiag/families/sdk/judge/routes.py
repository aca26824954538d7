"""Would SDKs that are constrained to the data plane work: what becomes of each version's calls.

The outcomes are those that Python 0.34.0, 0.36.0 and 0.48.1 and JavaScript 3.35.0 were observed to have on data planes
with one fault each.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from btdiag.core import evidence
from btdiag.core.answers import exchange_proofs, facts_of, in_words, rate_limited
from btdiag.core.exchange import Exchange, Trouble
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Verdict
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.statuses import explain_answer
from btdiag.core.target import Target
from btdiag.core.urls import same_place, url_parts
from btdiag.families.sdk.facts import (
    SOURCES,
    ControlPlane,
    RouteState,
    is_constrained,
    keeps_method,
    login_state,
    settled_state,
    state,
)
from btdiag.families.sdk.judge.retries import told_by
from btdiag.families.sdk.needs import CONTROL_ROUTES, LOGIN, Losses, Sdk, SdkRoute, consequences, losses, sdks_of

KEY_IS_ACCEPTED, ROUTES_PROXIED = "readiness.key-is-accepted", "sdk.control-plane-routes-proxied"
_REFUSED, _UNREACHABLE = frozenset({401, 403}), frozenset({502, 503, 504})
_BAD = frozenset({RouteState.MISSING, RouteState.BROKEN})

Ping = PerAddress[Exchange] | NotMeasured
States = Mapping[SdkRoute, RouteState]


def control_plane_routes_proxied(plane: ControlPlane, ping: Ping, target: Target) -> Finding:
    """The claim of sdk.control-plane-routes-proxied, for each SDK of the target."""
    states = route_states(plane, accepted=any(seen.status == 200 for seen in facts_of(ping).values()))
    if RouteState.LIMITED in states.values():
        return _limited(next(seen for seen in plane.exchanges[::-1] if seen.status == 429), plane, target)
    if keeps_method(plane.login.exchange):
        return sent_to_https(plane, target)
    if key_refused(plane, ping):
        return Finding(
            verdict=Verdict.SKIP, summary="the API refuses the key, and so does login", because=KEY_IS_ACCEPTED
        )
    if not is_constrained(target) and set(states.values()) == {RouteState.MISSING}:
        return _not_asked_for(target)
    hurt = hurt_by(broken_calls(states), target)
    if hurt:
        return _not_proxied(plane, states, hurt, target)
    return _stumbled(plane, target) or untold(plane, states, target) or _proxied(plane, states, target)


def _limited(seen: Exchange, plane: ControlPlane, target: Target) -> Finding:
    """The finding where a call is answered 429; where it is the login, with what each SDK makes of it."""
    found = rate_limited(seen)
    if seen is not plane.login.exchange:
        return found
    return replace(found, summary=f"{found.summary}; {told_by(sdks_of(target), seen)}")


def sent_to_https(plane: ControlPlane, target: Target) -> Finding:
    """The finding where an http:// target sends every call on to https with method, body and key: no fault, and what is
    there has to be asked there."""
    there = f"https://{url_parts(target.url).host}"
    return Finding(
        verdict=Verdict.SKIP,
        summary=f"calls are answered {plane.login.exchange.status} to https on the same host, which SDKs follow with "
        f"method, body and key: run --target {there} to see what they find there",
    )


def route_states(plane: ControlPlane, *, accepted: bool = False) -> States:
    """The state of each control-plane call; `accepted` tells that the API itself took the key."""
    states = dict.fromkeys((LOGIN, *CONTROL_ROUTES), RouteState.UNTOLD)
    states |= {route: settled_state(plane, route, state(seen, plane.unknown)) for route, seen in plane.routes}
    states[LOGIN] = login_state(plane.login, plane.unknown, accepted=accepted)
    return states


def hurt_by(broken: Collection[SdkRoute], target: Target) -> dict[Sdk, Losses]:
    """The SDKs of the target that lack something without these calls."""
    return {sdk: lost for sdk in sdks_of(target) if (lost := losses(sdk, broken))}


def key_refused(plane: ControlPlane, ping: Ping) -> bool:
    """Whether the API and the login refuse the key alike: it is the key then, and no route."""
    refused = any(seen.status in _REFUSED for seen in facts_of(ping).values())
    return plane.login.keyed and plane.login.exchange.status in _REFUSED and refused


def outcomes(hurt: Mapping[Sdk, Losses]) -> Evidence:
    """What each flow of each SDK comes to, as a table."""
    rows = [
        (str(sdk), str(flow), str(loss), str(loss.route)) for sdk, lost in hurt.items() for flow, loss in lost.items()
    ]
    return evidence.table("What SDKs do here", ("SDK", "call", "outcome", "for lack of"), rows)


def broken_calls(states: States) -> set[SdkRoute]:
    """The calls that do not work."""
    return {route for route, found in states.items() if found in _BAD}


def _not_asked_for(target: Target) -> Finding:
    return Finding(
        verdict=Verdict.SKIP,
        summary=f"{target.url} passes no control-plane call on, which matters only to SDKs whose BRAINTRUST_APP_URL it "
        "is: say with --app-url, --sdk or --role sdk that there are any",
    )


def _proxied(plane: ControlPlane, states: States, target: Target) -> Finding:
    sdks = sdks_of(target)
    needed = {route for sdk in sdks for routes in sdk.needs.values() for route in routes if route in states}
    login = "" if plane.login.keyed else " (login was asked without a key)"
    return Finding(
        verdict=Verdict.PASS,
        summary=f"all {len(needed)} control-plane calls of {', '.join(map(str, sdks))} are passed on{login}",
        evidence=(calls(plane, states),),
    )


def _not_proxied(plane: ControlPlane, states: States, hurt: Mapping[Sdk, Losses], target: Target) -> Finding:
    culprits = culprits_of(hurt)
    first = answer_to(plane, culprits[0])
    unreachable = first.status in _UNREACHABLE or _hangs(plane, first)
    certain = (is_constrained(target) or unreachable) and is_serious(hurt)
    return Finding(
        verdict=Verdict.FAIL if certain else Verdict.WARN,
        summary=f"{call_names(culprits)} {_fault(culprits, states)} ({_told(plane, culprits[0])}): with {target.url} "
        f"as app URL, {consequences(hurt)}",
        answer="SDKs that use the data plane as app URL fail: login calls are not passed on"
        if certain
        else "The data plane cannot serve as app URL: login calls are not passed on",
        hop=HopName.LOAD_BALANCER if not unreachable else HopName.API,
        owner=explain_answer(first).owner if not unreachable else Owner.API,
        expected="each control-plane call passed on: a login that names organisations, 401 to the others without a key",
        seen="; ".join(f"{route}: {in_words(answer_to(plane, route))}" for route in culprits),
        evidence=(calls(plane, states), outcomes(hurt), *exchange_proofs(first)),
        remedy=Remedy(text=_advice(culprits, target, unreachable=unreachable)),
        sources=SOURCES,
    )


def _hangs(plane: ControlPlane, seen: Exchange) -> bool:
    """Whether a call to the control plane is taken and never answered, while the data plane's own are: then the API
    server waits for the control plane itself."""
    silent = seen.status is None and seen.failure is not None and seen.failure.trouble is Trouble.TIMEOUT
    own = [answer for answer in plane.direct if answer.status is not None and answer.status < 500]
    return silent and bool(own)


def _fault(culprits: Sequence[SdkRoute], states: States) -> str:
    missing = all(states[route] is RouteState.MISSING for route in culprits)
    if len(culprits) == 1:
        return "is not passed on to the control plane" if missing else "fails at the data plane"
    return "are not passed on to the control plane" if missing else "fail at the data plane"


def culprits_of(hurt: Mapping[Sdk, Losses]) -> list[SdkRoute]:
    """The calls for lack of which something is lost, each once."""
    return list(dict.fromkeys(loss.route for lost in hurt.values() for loss in lost.values()))


def is_serious(hurt: Mapping[Sdk, Losses]) -> bool:
    """Whether more is hurt than what most programs do without."""
    return any(not flow.is_rare for lost in hurt.values() for flow in lost)


def answer_to(plane: ControlPlane, route: SdkRoute) -> Exchange:
    """The answer to a call that was made."""
    return plane.login.exchange if route is LOGIN else {**dict(plane.routes), **dict(plane.data)}[route]


def _told(plane: ControlPlane, route: SdkRoute) -> str:
    seen = answer_to(plane, route)
    if route is LOGIN and seen.status == 200 and seen.failure is None:
        return "200 without org_info"
    return in_words(seen)


def call_names(routes: Sequence[SdkRoute]) -> str:
    """Calls in a sentence."""
    return ", ".join(map(str, routes))


def calls(plane: ControlPlane, states: States) -> Evidence:
    """All calls with their answers, as a table."""
    asked = {LOGIN, *dict(plane.routes), *dict(plane.data)}
    rows = [
        (str(route), str(found), in_words(answer_to(plane, route)) if route in asked else "not sent")
        for route, found in states.items()
    ]
    return evidence.table("Calls of SDKs at the data plane", ("call", "state", "answer"), rows)


def _advice(culprits: Sequence[SdkRoute], target: Target, *, unreachable: bool) -> str:
    control_plane = "https://www.braintrust.dev" if same_place(target.app_url, target.url) else target.app_url
    if unreachable:
        return (
            f"The data plane takes the call and gets no answer: let the API server reach {control_plane} on port 443, "
            "by its own route, proxy and DNS (egress rule, NAT, network policy, HTTPS_PROXY in its environment)."
        )
    paths = "/api/* with one and two further segments, GET and POST"
    newer = " Python SDKs from 0.35 on need the login alone." if LOGIN not in culprits else ""
    return (
        f"Let the load balancer route {paths} to the API server (its own list has them; an older Terraform module "
        f"may lack some), or leave BRAINTRUST_APP_URL at {control_plane}.{newer}"
    )


def _stumbled(plane: ControlPlane, target: Target) -> Finding | None:
    """The finding where the login succeeded only when it was asked for again, which not every SDK does."""
    first, second = plane.login.first, plane.login.exchange
    impatient = [sdk for sdk in sdks_of(target) if not sdk.tries_again]
    if first is None or not impatient:
        return None
    hurt = {sdk: losses(sdk, {LOGIN}) for sdk in impatient}
    limited = first.status == 429
    return Finding(
        verdict=Verdict.INCONCLUSIVE if limited else Verdict.WARN,
        summary=f"the login came to {in_words(first)} and, when asked for again, to {in_words(second)}: Python SDKs "
        f"try again too, but whenever an SDK that does not meets the first answer, {consequences(hurt)}",
        answer="SDK logins fail now and then: the first answer was an error",
        hop=explain_answer(first).hop,
        owner=explain_answer(first).owner,
        expected="a login that succeeds at once",
        seen=f"{in_words(first)}, then {in_words(second)}",
        evidence=(outcomes(hurt), *exchange_proofs(first)),
        remedy=explain_answer(first).remedy,
        sources=SOURCES,
    )


def untold(plane: ControlPlane, states: States, target: Target) -> Finding | None:
    """The finding where an answer tells nothing."""
    needs = [(flow, routes) for sdk in sdks_of(target) for flow, routes in sdk.needs.items()]
    wanted = {route for flow, routes in needs if not flow.is_rare for route in routes}
    open_ = [route for route, found in states.items() if found is RouteState.UNTOLD and route in wanted]
    if not open_:
        return None
    answers = {LOGIN: plane.login.exchange, **dict(plane.routes), **dict(plane.data)}
    late = [one for route in open_ if (one := answers.get(route)) and one.failure]
    why = (
        f"{in_words(late[0])}, while SDKs wait for up to 60 s"
        if late
        else f"without a key every path, even one that does not exist, is answered {in_words(plane.unknown)}, or "
        "--header logs in every request"
    )
    return Finding(
        verdict=Verdict.INCONCLUSIVE,
        summary=f"whether {call_names(open_)} {'is' if len(open_) == 1 else 'are'} there cannot be told: {why}",
        hop=HopName.API,
        owner=Owner.API,
        expected="an answer that differs from that of an unknown path",
        seen=in_words(late[0] if late else plane.unknown),
        evidence=(calls(plane, states), *exchange_proofs(late[0] if late else plane.unknown)),
        remedy=Remedy(text=_to_be_told(plane, late=bool(late))),
        sources=SOURCES,
    )


def _to_be_told(plane: ControlPlane, *, late: bool) -> str:
    """What would settle it, by what stood in the way."""
    if late:
        return "Find out what the API server waits for on these calls: its log of that time, and its way to others."
    if plane.login.exchange.key_withheld:
        return f"The key was not sent: {plane.login.exchange.key_withheld}."
    if not plane.login.keyed:
        return "Set BRAINTRUST_API_KEY: login and the list of projects are then asked with the key."
    return (
        "Look at these calls in the load balancer's routes and in the API server's log: with the key, too, they are "
        "answered as a path that does not exist, and what could write is not sent."
    )
