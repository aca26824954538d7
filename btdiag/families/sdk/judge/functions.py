"""Where login sends the calls of functions: its proxy_url, which SDKs post `/function/invoke` to (observed with Python
0.20.0; later ones use it for prompts and functions alike)."""

from __future__ import annotations

from btdiag.core import evidence
from btdiag.core.finding import Finding, HopName, Owner, Remedy, Verdict
from btdiag.core.target import Target
from btdiag.core.urls import same_place, url_parts
from btdiag.families.sdk.facts import HOSTED, SOURCES, Organisation, SdkEnvironment, is_constrained

_PROXIES = HOSTED | {"braintrustproxy.com"}


def functions_elsewhere(first: Organisation, environment: SdkEnvironment, target: Target) -> Finding | None:
    """The finding about a proxy_url that cannot be right, or leads constrained SDKs away; None where it may be right:
    an AI gateway of its own often has another host."""
    told = first.proxy_url
    if told is None or environment.proxy_url or _is_own(told, target):
        return None
    why = _why_not(told, target)
    if why is None:
        return None
    return Finding(
        verdict=Verdict.WARN,
        summary=f"login names {told} as the proxy_url of organisation {first.name}, where SDKs call functions and "
        f"prompts: {why}",
        answer="Login sends the calls of functions to another place than this data plane",
        hop=HopName.CONTROL_PLANE,
        owner=Owner.API,
        expected=f"no proxy_url, or one at {target.url}" + (f" or {target.gateway}" if target.gateway else ""),
        seen=f"proxy_url {told}",
        evidence=(
            evidence.table("Organisation", ("name", "api_url", "proxy_url"), [(first.name, first.api_url, told)]),
        ),
        remedy=Remedy(
            text=f"Correct the proxy URL in the organisation's settings (Data plane), or leave it empty; or set "
            f"BRAINTRUST_PROXY_URL={target.url} for the SDKs.",
            action="Correct the proxy URL in the organisation's settings, or leave it empty",
        ),
        sources=SOURCES,
    )


def aside_of_proxy(first: Organisation, target: Target) -> str:
    """What is said of a proxy_url that may be right and was not tested."""
    told = first.proxy_url
    return "" if told is None or _is_own(told, target) else f"; functions go to {told}, which was not tested"


def _is_own(told: str, target: Target) -> bool:
    ours = [target.url, *([target.gateway] if target.gateway else [])]
    bare = told.rstrip("/").removesuffix("/v1/proxy").removesuffix("/v1")
    return any(same_place(bare, one) for one in ours)


def _why_not(told: str, target: Target) -> str | None:
    try:
        parts = url_parts(told)
    except ValueError as error:
        return f"that is no usable URL ({error})"
    if parts.host in _PROXIES and is_constrained(target):
        return "that is the hosted product's, while SDKs here are constrained to the data plane"
    if parts.host == target.host and (parts.scheme, target.scheme) == ("http", "https"):
        return "plain http on the data plane's own host, which sends the key unencrypted, or to a redirect"
    if parts.host == target.host and parts.port != target.port:
        return f"another port ({parts.port}) of the data plane's own host, for which nothing else speaks"
    return None
