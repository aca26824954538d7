"""Do the URLs that SDKs are given fit together: nothing is sent, and the public URL is never contacted."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from btdiag.core import evidence
from btdiag.core.finding import Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.target import Target
from btdiag.core.urls import same_place
from btdiag.families.sdk.facts import HOSTED, SOURCES, SdkEnvironment, is_constrained
from btdiag.families.sdk.judge.routes import hurt_by, outcomes
from btdiag.families.sdk.needs import LOGIN, Losses, Sdk, consequences


def app_url_consistent(environment: SdkEnvironment, target: Target) -> Finding:
    """The claim of sdk.app-url-consistent: the URLs that SDKs are given fit together."""
    host = urlsplit(target.app_url).hostname or ""
    if host in HOSTED:
        return _wrong_app_url(target, host)
    empty = _empty(environment, target)
    if empty is not None:
        return empty
    notes = _link_notes(environment, target)
    if environment.api_url and not same_place(environment.api_url, target.url):
        notes.append(
            f"BRAINTRUST_API_URL is {environment.api_url}, which SDKs started here use instead of {target.url}"
        )
    proxy = environment.proxy_url
    if proxy and is_constrained(target) and not same_place(proxy.removesuffix("/v1/proxy"), target.url):
        notes.append(f"BRAINTRUST_PROXY_URL is {proxy}, where SDKs started here call functions, and not {target.url}")
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


def _empty(environment: SdkEnvironment, target: Target) -> Finding | None:
    """The finding for variables that are set to nothing: Python takes an empty BRAINTRUST_APP_URL for the URL,
    JavaScript an empty BRAINTRUST_API_URL (observed with Python 0.34.0 and 0.48.1, JavaScript 3.35.0)."""
    without_login = hurt_by({LOGIN}, target)
    told: list[str] = []
    hurt: dict[Sdk, Losses] = {}
    for name, value, javascript in (
        ("BRAINTRUST_APP_URL", environment.app_url, False),
        ("BRAINTRUST_API_URL", environment.api_url, True),
    ):
        taken_in = {sdk: lost for sdk, lost in without_login.items() if value == "" and sdk.is_javascript is javascript}
        told += [name] if taken_in else []
        hurt |= taken_in
    if not told:
        return None
    names = " and ".join(told)
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{names} {'is' if len(told) == 1 else 'are'} set but empty where btdiag runs, which is not the same "
        f"as unset: {consequences(hurt)}",
        answer="SDKs started here fail: a variable is set, but empty",
        hop=HopName.CONFIG,
        owner=Owner.CLIENT,
        expected=f"{names} set to a URL, or unset",
        seen="empty",
        evidence=(evidence.facts("Variables of SDKs where btdiag runs", environment), outcomes(hurt)),
        remedy=Remedy(
            text=f"Unset {names}, or set it to a URL.",
            snippets=(Snippet(product="shell", code=f"unset {' '.join(told)}"),),
        ),
        sources=SOURCES,
    )


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
        answer="Links that SDKs print lead nowhere",
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
        answer="SDK logins fail: the app URL is an API and no web app",
        hop=HopName.CONFIG,
        owner=Owner.CLIENT,
        expected="https://www.braintrust.dev, or the data plane",
        seen=target.app_url,
        evidence=(evidence.text("App URL", target.app_url),),
        remedy=Remedy(text="Set BRAINTRUST_APP_URL to https://www.braintrust.dev, or to the data plane; or unset it."),
        sources=SOURCES,
    )
