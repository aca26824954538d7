"""Would SDKs that are constrained to the data plane work: what each version's calls come to, where login sends them.

The outcomes are those that Python 0.34.0, 0.36.0 and 0.48.1 and JavaScript 3.35.0 were seen to have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from btdiag.judge import evidence
from btdiag.judge.answers import facts_of, proofs, rate_limited, words
from btdiag.judge.exchange import Exchange
from btdiag.judge.sdk_facts import (
    LOGIN,
    ROUTES,
    ControlPlane,
    Flow,
    Organisation,
    RouteState,
    Sdk,
    SdkEnvironment,
    SdkRoute,
    is_constrained,
    same_place,
    sdks_of,
    state,
)
from btdiag.judge.statuses import explain
from btdiag.measurement import NotMeasured, PerAddress
from btdiag.model import Evidence, Finding, HopName, Owner, Remedy, Snippet, Target, Verdict
from btdiag.urls import url_parts

KEY_IS_ACCEPTED, ROUTES_PROXIED = "readiness.key-is-accepted", "sdk.control-plane-routes-proxied"
SOURCES = (
    "https://www.braintrust.dev/docs/admin/self-hosting",
    "https://github.com/braintrustdata/terraform-aws-braintrust-data-plane (routes of the API gateway)",
    "https://pypi.org/project/braintrust/ and https://www.npmjs.com/package/braintrust (sources of the packages)",
)
_HOSTED = frozenset({"api.braintrust.dev", "api-eu.braintrust.dev", "gateway.braintrust.dev"})
_REFUSED = frozenset({401, 403})


def control_plane_routes_proxied(
    plane: ControlPlane, ping: PerAddress[Exchange] | NotMeasured, target: Target
) -> Finding:
    """The claim of sdk.control-plane-routes-proxied, for each SDK of the target."""
    states = route_states(plane, accepted=any(seen.status == 200 for seen in facts_of(ping).values()))
    if RouteState.LIMITED in states.values():
        return rate_limited(next(seen for seen in plane.exchanges if seen.status == 429))
    if _key_refused(plane, ping):
        return Finding(
            verdict=Verdict.SKIP, summary="the API refuses the key, and so does login", because=KEY_IS_ACCEPTED
        )
    sdks = sdks_of(target)
    hurt = {str(sdk): broken for sdk in sdks if (broken := broken_flows(sdk, states))}
    if hurt:
        return _not_proxied(plane, states, hurt, target)
    untold = [route for sdk in sdks for route in _wanted(sdk) if states[route] is RouteState.UNTOLD]
    if untold:
        return _untold(plane, untold)
    needed = list(dict.fromkeys(route for sdk in sdks for route in _wanted(sdk)))
    login = "" if plane.login.keyed else " (login was asked without a key)"
    return Finding(
        verdict=Verdict.PASS,
        summary=f"all {len(needed)} control-plane calls of {', '.join(map(str, sdks))} are passed on{login}",
        evidence=(_table(plane, states),),
    )


def route_states(plane: ControlPlane, *, accepted: bool = False) -> dict[SdkRoute, RouteState]:
    """The state of each route. A login that succeeds must also name organisations, and one with a key must succeed;
    `accepted` tells that the API itself took the same key, so that a refusal is the login route's fault."""
    states = dict.fromkeys(ROUTES, RouteState.UNTOLD)
    states |= {route: state(seen, plane.unknown) for route, seen in plane.routes}
    states[LOGIN] = state(plane.login.exchange, plane.unknown)
    status = plane.login.exchange.status or 0
    if 200 <= status < 300 and not plane.login.organisations:
        states[LOGIN] = RouteState.MISSING
    if plane.login.keyed and status in _REFUSED:
        states[LOGIN] = RouteState.BROKEN if accepted else RouteState.MISSING
    return states


def broken_flows(sdk: Sdk, states: Mapping[SdkRoute, RouteState]) -> dict[Flow, SdkRoute]:
    """The flows of an SDK that cannot work, each with the first call that stands in its way."""
    bad = {RouteState.MISSING, RouteState.BROKEN}
    found = {
        flow: next((route for route in routes if states[route] in bad), None) for flow, routes in sdk.needs.items()
    }
    return {flow: route for flow, route in found.items() if route is not None}


def _wanted(sdk: Sdk) -> Sequence[SdkRoute]:
    return list(dict.fromkeys(route for routes in sdk.needs.values() for route in routes))


def _key_refused(plane: ControlPlane, ping: PerAddress[Exchange] | NotMeasured) -> bool:
    refused = any(seen.status in _REFUSED for seen in facts_of(ping).values())
    return plane.login.keyed and plane.login.exchange.status in _REFUSED and refused


def _not_proxied(
    plane: ControlPlane,
    states: Mapping[SdkRoute, RouteState],
    hurt: Mapping[str, Mapping[Flow, SdkRoute]],
    target: Target,
) -> Finding:
    culprits = list(dict.fromkeys(route for flows in hurt.values() for route in flows.values()))
    first = _answer(plane, culprits[0])
    unreachable = first.status in {502, 503, 504}
    certain = is_constrained(target) or unreachable
    return Finding(
        verdict=Verdict.FAIL if certain else Verdict.WARN,
        summary=f"{_list(culprits)} {'is' if len(culprits) == 1 else 'are'} not passed on to the control plane "
        f"({_told(plane, culprits[0])}), so SDKs with {target.url} as app URL {_consequences(hurt)}",
        hop=HopName.LOAD_BALANCER if not unreachable else HopName.API,
        owner=explain(first).owner if not unreachable else Owner.API,
        expected="each control-plane call passed on: a login that names organisations, 401 to the others without a key",
        seen="; ".join(f"{route}: {words(_answer(plane, route))}" for route in culprits),
        evidence=(_table(plane, states), _outcomes(hurt), *proofs(first)),
        remedy=Remedy(text=_advice(plane, culprits, target, unreachable=unreachable)),
        sources=SOURCES,
    )


def _answer(plane: ControlPlane, route: SdkRoute) -> Exchange:
    return plane.login.exchange if route is LOGIN else dict(plane.routes)[route]


def _told(plane: ControlPlane, route: SdkRoute) -> str:
    seen = _answer(plane, route)
    if route is LOGIN and seen.status == 200:
        return "200 without org_info"
    return words(seen)


def _list(routes: Sequence[SdkRoute]) -> str:
    return ", ".join(map(str, routes))


def _consequences(hurt: Mapping[str, Mapping[Flow, SdkRoute]]) -> str:
    """What programs live through: "fail in init() (js 3.35.0) and lose what they log without an exception (...)"."""
    failing = [sdk for sdk, flows in hurt.items() if any(not flow.is_silent for flow in flows)]
    losing = [sdk for sdk, flows in hurt.items() if any(flow.is_silent for flow in flows)]
    parts = [f"fail in init() ({', '.join(failing)})"] if failing else []
    parts += [f"lose their logs without an exception ({', '.join(losing)})"] if losing else []
    return " and ".join(parts)


def _outcomes(hurt: Mapping[str, Mapping[Flow, SdkRoute]]) -> Evidence:
    rows = [
        (sdk, str(flow), "logs are lost silently" if flow.is_silent else "raises", str(route))
        for sdk, flows in hurt.items()
        for flow, route in flows.items()
    ]
    return evidence.table("What SDKs do here", ("SDK", "call", "outcome", "for lack of"), rows)


def _table(plane: ControlPlane, states: Mapping[SdkRoute, RouteState]) -> Evidence:
    asked = {LOGIN, *dict(plane.routes)}
    rows = [
        (str(route), str(found), words(_answer(plane, route)) if route in asked else "not sent")
        for route, found in states.items()
    ]
    return evidence.table("Control-plane calls at the data plane", ("call", "state", "answer"), rows)


def _advice(plane: ControlPlane, culprits: Sequence[SdkRoute], target: Target, *, unreachable: bool) -> str:
    if unreachable:
        return (
            f"The data plane takes the call and gets no answer: let the API server reach {target.app_url} on port 443, "
            "by its own route, proxy and DNS."
        )
    paths = "/api/* with one and two further segments, GET and POST"
    newer = " Python SDKs from 0.35 on need the login alone." if LOGIN not in culprits else ""
    return (
        f"Let the load balancer route {paths} to the API server (its own list has them; an older Terraform module "
        f"may lack some), or leave BRAINTRUST_APP_URL at {_control_plane(target)}.{newer}"
    )


def _control_plane(target: Target) -> str:
    return "https://www.braintrust.dev" if same_place(target.app_url, target.url) else target.app_url


def _untold(plane: ControlPlane, untold: Sequence[SdkRoute]) -> Finding:
    return Finding(
        verdict=Verdict.INCONCLUSIVE,
        summary=f"whether {_list(list(dict.fromkeys(untold)))} is passed on cannot be told: without a key every path, "
        f"even one that does not exist, is answered {words(plane.unknown)}, or --header logs in every request",
        hop=HopName.API,
        owner=Owner.API,
        expected="an answer that differs from that of an unknown path",
        seen=words(plane.unknown),
        evidence=proofs(plane.unknown),
        remedy=Remedy(text="Set BRAINTRUST_API_KEY: login and the list of projects are then asked with the key."),
        sources=SOURCES,
    )


def login_points_here(plane: ControlPlane, ping: PerAddress[Exchange] | NotMeasured, target: Target) -> Finding:
    """The claim of sdk.login-points-here."""
    login = plane.login
    if login.exchange.status == 429:
        return rate_limited(login.exchange)
    if not login.keyed and not login.organisations:
        why = login.exchange.key_withheld or "no API key was given: set BRAINTRUST_API_KEY"
        return Finding(verdict=Verdict.SKIP, summary=f"login names an API only to a key: {why}")
    if not login.organisations:
        return _no_organisation(plane, ping, target)
    first, *others = login.organisations
    if first.api_url and same_place(first.api_url, target.url):
        more = f" (first of {len(others) + 1})" if others else ""
        return Finding(
            verdict=Verdict.PASS, summary=f"login sends SDKs of organisation {first.name}{more} to {target.url}"
        )
    return _elsewhere(login.organisations, target, login.exchange)


def _no_organisation(plane: ControlPlane, ping: PerAddress[Exchange] | NotMeasured, target: Target) -> Finding:
    answer = words(plane.login.exchange)
    if _key_refused(plane, ping):
        return Finding(verdict=Verdict.SKIP, summary=f"login answers {answer}", because=KEY_IS_ACCEPTED)
    blamed = ROUTES_PROXIED if is_constrained(target) or plane.login.exchange.status in {502, 503, 504} else None
    return Finding(
        verdict=Verdict.SKIP, summary=f"login at the target names no organisation (it answers {answer})", because=blamed
    )


def _elsewhere(found: Sequence[Organisation], target: Target, seen: Exchange) -> Finding:
    first = found[0]
    told = first.api_url or "nothing"
    here = [one.name for one in found if one.api_url and same_place(one.api_url, target.url)]
    harm = _harm(first.api_url, target)
    certain = harm is not None or is_constrained(target)
    effect = harm or "SDKs send their data there, whatever is tested here"
    choice = f"; of {len(found)} organisations only {', '.join(here)} {_are(here)} served here" if here else ""
    return Finding(
        verdict=Verdict.FAIL if certain and not here else Verdict.WARN,
        summary=f"login at {target.url} names {told} as the API of organisation {first.name}: {effect}{choice}",
        hop=HopName.CONTROL_PLANE,
        owner=Owner.API,
        expected=f"api_url {target.url}",
        seen=f"api_url {told}",
        evidence=(
            evidence.table(
                "Organisations of this key",
                ("name", "api_url", "proxy_url"),
                [(o.name, o.api_url, o.proxy_url) for o in found],
            ),
            evidence.exchange(seen),
        ),
        remedy=Remedy(
            text=f"Set the API URL in the organisation's settings (Data plane) to {target.url}, or set "
            f"BRAINTRUST_API_URL={target.url} for the SDKs; if {told} is right, test that URL instead. With several "
            "organisations set BRAINTRUST_ORG_NAME.",
            snippets=(Snippet(product="shell", code=f"export BRAINTRUST_API_URL={target.url}"),),
        ),
        sources=(*SOURCES, "https://www.braintrust.dev/docs/kb (421 errors with self-hosted data planes)"),
    )


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _harm(api_url: str | None, target: Target) -> str | None:
    """Why that API URL cannot be right; None where it may be another name of the same data plane."""
    if not api_url:
        return "SDKs have no API to send to: init() fails and loggers lose what they log without an exception"
    try:
        parts = url_parts(api_url)
    except ValueError as error:
        return f"that is no usable URL ({error})"
    if parts.host in _HOSTED:
        return (
            "that is the hosted API, which answers 421 for an organisation with a data plane of its own: init() fails "
            "and loggers lose what they log without an exception"
        )
    if (parts.scheme, target.scheme) == ("http", "https") and parts.host == target.host:
        return (
            "plain http, where a closed port or a redirect to https (which turns POST into GET) makes init() fail and "
            "loggers lose what they log without an exception"
        )
    if parts.host == target.host:
        return "another port or path of the same host, where nothing was found to be served"
    return None


def app_url_consistent(environment: SdkEnvironment, target: Target) -> Finding:
    """The claim of sdk.app-url-consistent: the URLs that SDKs are given fit together."""
    host = urlsplit(target.app_url).hostname or ""
    if host in _HOSTED:
        return _wrong_app_url(target, host)
    notes = _link_notes(environment, target)
    if environment.api_url and not same_place(environment.api_url, target.url):
        notes.append(
            f"BRAINTRUST_API_URL is {environment.api_url}, which SDKs started here use instead of {target.url}"
        )
    if notes:
        return _inconsistent(notes, environment, target)
    if same_place(target.app_url, target.url):
        text = (
            f"SDKs are constrained to {target.url}; summaries link to {environment.app_public_url}, while permalink() "
            "and link() still point at the data plane"
        )
    else:
        text = f"the app URL is {target.app_url}, apart from the data plane, and links of SDKs lead there"
    return Finding(verdict=Verdict.PASS, summary=text)


def _link_notes(environment: SdkEnvironment, target: Target) -> list[str]:
    public = environment.app_public_url
    if public == "":
        return ["BRAINTRUST_APP_PUBLIC_URL is set but empty: Python prints links without a host"]
    constrained = same_place(target.app_url, target.url)
    if constrained and (public is None or same_place(public, target.url)):
        return [
            f"the app URL is the data plane itself ({target.url}), and BRAINTRUST_APP_PUBLIC_URL names no web app: all "
            "links that SDKs print lead to the data plane, where there is no page"
        ]
    return []


def _inconsistent(notes: Sequence[str], environment: SdkEnvironment, target: Target) -> Finding:
    return Finding(
        verdict=Verdict.WARN,
        summary="; ".join(notes),
        hop=HopName.CONFIG,
        owner=Owner.CLIENT,
        expected="BRAINTRUST_APP_URL for calls, BRAINTRUST_APP_PUBLIC_URL for links, BRAINTRUST_API_URL the data plane",
        seen=f"app URL {target.app_url}; public {environment.app_public_url!r}; API URL {environment.api_url!r}",
        evidence=(evidence.facts("Variables of SDKs where btdiag runs", environment),),
        remedy=Remedy(
            text="Set BRAINTRUST_APP_PUBLIC_URL to the web app that people open (it is only printed, never called), or "
            "unset it; permalink() and link() follow BRAINTRUST_APP_URL whatever is set.",
            snippets=(Snippet(product="shell", code="export BRAINTRUST_APP_PUBLIC_URL=https://www.braintrust.dev"),),
        ),
        sources=SOURCES,
    )


def _wrong_app_url(target: Target, host: str) -> Finding:
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"the app URL is {target.app_url}, but {host} is an API of the hosted product and no web app: login "
        "fails there",
        hop=HopName.CONFIG,
        owner=Owner.CLIENT,
        expected="https://www.braintrust.dev, or the data plane",
        seen=target.app_url,
        evidence=(evidence.text("App URL", target.app_url),),
        remedy=Remedy(text="Set BRAINTRUST_APP_URL to https://www.braintrust.dev, or to the data plane; or unset it."),
        sources=SOURCES,
    )
