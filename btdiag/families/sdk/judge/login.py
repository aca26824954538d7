"""Where does login send SDKs: to this data plane, or elsewhere, and what becomes of their rows there."""

from __future__ import annotations

from collections.abc import Sequence

from btdiag.core import evidence
from btdiag.core.answers import in_words, rate_limited
from btdiag.core.credential import no_key
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.target import Target
from btdiag.core.urls import same_place, url_parts
from btdiag.families.sdk.facts import (
    HOSTED,
    SOURCES,
    ControlPlane,
    Organisation,
    SdkEnvironment,
    is_constrained,
    is_data_plane,
    keeps_method,
    served,
)
from btdiag.families.sdk.judge.functions import aside_of_proxy, functions_elsewhere
from btdiag.families.sdk.judge.routes import KEY_IS_ACCEPTED, ROUTES_PROXIED, Ping, hurt_by, key_refused, outcomes
from btdiag.families.sdk.needs import DATA_ROUTES, LOGIN, Losses, Sdk, consequences


def login_points_here(plane: ControlPlane, ping: Ping, environment: SdkEnvironment, target: Target) -> Finding:
    """The claim of sdk.login-points-here."""
    login = plane.login
    if login.exchange.status == 429:
        return rate_limited(login.exchange)
    if not login.keyed and not login.organisations:
        why = login.exchange.key_withheld or no_key(target)
        return Finding(verdict=Verdict.SKIP, summary=f"login names an API only to a key: {why}")
    if login.organisations is None:
        return _no_login(plane, ping, target)
    found = served(login.organisations, environment)
    if not found:
        return _no_organisation(login.organisations, environment, login.exchange, target)
    return _refused_name(found[0], login.exchange, target) or _place(found, plane, environment, target)


def _no_login(plane: ControlPlane, ping: Ping, target: Target) -> Finding:
    answer = in_words(plane.login.exchange)
    if key_refused(plane, ping):
        return Finding(verdict=Verdict.SKIP, summary=f"login is answered {answer}", because=KEY_IS_ACCEPTED)
    blamed = ROUTES_PROXIED if is_constrained(target) or plane.login.exchange.status in {502, 503, 504} else None
    return Finding(
        verdict=Verdict.SKIP, summary=f"login at the target names no organisation ({answer})", because=blamed
    )


def _no_organisation(
    listed: Sequence[Organisation], environment: SdkEnvironment, seen: Exchange, target: Target
) -> Finding:
    names = ", ".join(one.name for one in listed)
    told = (
        f"BRAINTRUST_ORG_NAME is {environment.org_name!r}, and login knows this key in {names} alone"
        if listed
        else "login knows this key in no organisation"
    )
    advice = (
        "set BRAINTRUST_ORG_NAME to one of them, or unset it"
        if listed
        else "use a key of an organisation of this data plane"
    )
    hurt = hurt_by({LOGIN}, target)
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{told}: {consequences(hurt)}",
        answer="SDK logins fail: the key belongs to no such organisation",
        hop=HopName.CONFIG,
        owner=Owner.CLIENT,
        expected="an organisation of this key",
        seen=names or "none",
        evidence=(outcomes(hurt), evidence.exchange(seen)),
        remedy=Remedy(text=f"{advice[0].upper()}{advice[1:]}."),
        sources=SOURCES,
    )


def _refused_name(first: Organisation, seen: Exchange, target: Target) -> Finding | None:
    """Python refuses an organisation without an id or a name; JavaScript takes it."""
    hurt = {sdk: lost for sdk, lost in hurt_by({LOGIN}, target).items() if sdk.tries_again}
    if first.is_complete or not hurt:
        return None
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"login describes organisation {first.name} without an id or a name: {consequences(hurt)}",
        answer="Python SDKs cannot log in: the answer names an organisation by half",
        hop=HopName.CONTROL_PLANE,
        owner=Owner.API,
        expected="org_info[] with id and name",
        seen="one without",
        evidence=(outcomes(hurt), evidence.exchange(seen)),
        remedy=Remedy(text="Find what answers the login in place of the control plane, or changes its answer."),
        sources=SOURCES,
    )


def _place(found: Sequence[Organisation], plane: ControlPlane, environment: SdkEnvironment, target: Target) -> Finding:
    first, *others = found
    if not first.api_url or not same_place(first.api_url, target.url):
        return _elsewhere(found, plane, environment, target)
    astray = functions_elsewhere(first, environment, target)
    if astray is not None:
        return astray
    more = f" (first of {len(others) + 1})" if others else ""
    return Finding(
        verdict=Verdict.PASS,
        summary=f"login sends SDKs of organisation {first.name}{more} to {target.url}{aside_of_proxy(first, target)}",
    )


def _elsewhere(
    found: Sequence[Organisation], plane: ControlPlane, environment: SdkEnvironment, target: Target
) -> Finding:
    first = found[0]
    told = first.api_url or "nothing"
    saved = environment.api_url and same_place(environment.api_url, target.url)
    harm, hurt = _harm(first.api_url, plane, target)
    here_too = [one.name for one in found if one.api_url and same_place(one.api_url, target.url)]
    twin = plane.namesake is not None and plane.namesake.is_same_server
    certain = harm is not None or (is_constrained(target) and not twin and not _works(plane))
    effect = harm or (_SAME_SERVER if twin else "SDKs send their data there, whatever is tested here")
    here = (
        f"; of {len(found)} organisations only {', '.join(here_too)} {_are(here_too)} served here" if here_too else ""
    )
    note = "; SDKs started here are saved by BRAINTRUST_API_URL" if saved else ""
    is_failure = certain and not saved and (not here_too or is_constrained(target))
    return Finding(
        verdict=Verdict.FAIL if is_failure else Verdict.WARN,
        summary=f"login at {target.url} names {told} as the API of organisation {first.name}: {effect}{here}{note}",
        answer="Login sends SDKs to another name of this data plane"
        if twin
        else "Login sends SDKs to another API than this data plane",
        hop=HopName.CONTROL_PLANE,
        owner=Owner.API,
        expected=f"api_url {target.url}",
        seen=f"api_url {told}",
        evidence=(*([outcomes(hurt)] if hurt else []), *_proof(found, plane)),
        remedy=_remedy(told, here_too, target),
        sources=(*SOURCES, "https://www.braintrust.dev/docs/kb (421 errors with self-hosted data planes)"),
    )


_SAME_SERVER = "the same address and the same certificate, so another name of the same server"


def _proof(found: Sequence[Organisation], plane: ControlPlane) -> list[Evidence]:
    rows = [(one.name, one.api_url, one.proxy_url) for one in found]
    listed = evidence.table("Organisations of this key", ("name", "api_url", "proxy_url"), rows)
    seen = [plane.elsewhere] if plane.elsewhere is not None else []
    return [listed, evidence.exchange(plane.login.exchange), *map(evidence.exchange, seen)]


def _remedy(told: str, served: Sequence[str], target: Target) -> Remedy:
    chosen = f"export BRAINTRUST_ORG_NAME={served[0]}" if served else f"export BRAINTRUST_API_URL={target.url}"
    return Remedy(
        text=f"Set the API URL in the organisation's settings (Data plane) to {target.url}, or set "
        f"BRAINTRUST_API_URL={target.url} for the SDKs; if {told} is right, test that URL instead. With several "
        "organisations set BRAINTRUST_ORG_NAME: SDKs take the first.",
        snippets=(Snippet(product="shell", code=chosen),),
    )


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _works(plane: ControlPlane) -> bool:
    return plane.elsewhere is not None and is_data_plane(plane.elsewhere)


def _harm(api_url: str | None, plane: ControlPlane, target: Target) -> tuple[str | None, dict[Sdk, Losses]]:
    """Why that API URL cannot be right, with what it does to SDKs; None where it may be right."""
    if not api_url:
        hurt = hurt_by({LOGIN}, target)
        return f"SDKs have no API to send to: {consequences(hurt)}", hurt
    hurt = hurt_by(DATA_ROUTES, target)
    why = _why_not(api_url, plane, target)
    return (f"{why}: {consequences(hurt)}", hurt) if why else (None, {})


def _why_not(api_url: str, plane: ControlPlane, target: Target) -> str | None:
    try:
        parts = url_parts(api_url)
    except ValueError as error:
        return f"that is no usable URL ({error})"
    if parts.host in HOSTED:
        return "that is the hosted API, which answers 421 for an organisation with a data plane of its own"
    if parts.host != target.host or plane.elsewhere is None or _works(plane):
        return None
    answer = f"GET /version there came to {in_words(plane.elsewhere)}"
    if keeps_method(plane.elsewhere):
        return None
    if (parts.scheme, target.scheme) == ("http", "https"):
        return f"plain http, and {answer} (SDKs follow a redirect to https with GET in place of POST)"
    return f"another port or path of the same host, and {answer}"
