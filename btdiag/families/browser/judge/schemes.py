"""Whether an https page may call the hosts at all: http is mixed content, but for this machine itself."""

from __future__ import annotations

from urllib.parse import urlsplit

from btdiag.core import evidence
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Verdict
from btdiag.core.product import origins
from btdiag.core.target import Target
from btdiag.families.browser.plan import PageHost, page_hosts
from btdiag.families.browser.remedy import MIXED_CONTENT_SOURCES, serve_over_tls


def scheme_is_secure(target: Target) -> Finding:
    """The claim of browser.scheme-is-secure: what an https page calls is https, or this machine itself."""
    hosts = page_hosts(target)
    secure = next((page for page in origins(target) if urlsplit(page).scheme == "https"), None)
    if secure is None:
        text = "the web app's page is not https itself: nothing it calls is mixed content"
        return Finding(verdict=Verdict.SKIP, summary=text)
    rows = [(host.role, host.shown, _standing(host)) for host in hosts]
    table = evidence.table("What an https page may call", ("host", "URL", "browser"), rows)
    plain = [host for host in hosts if host.scheme == "http" and not host.is_loopback]
    if not plain:
        text = f"an https page may call {_listed(hosts)}"
        return Finding(verdict=Verdict.PASS, summary=text, evidence=(table,))
    blocked = [host for host in plain if not host.is_exempt]
    return _mixed(blocked[0], table) if blocked else _exempt(plain[0], table)


def _standing(host: PageHost) -> str:
    if host.scheme != "http":
        return "allowed: https"
    if host.is_loopback:
        return "allowed: this machine itself"
    return "allowed only with the local network permission" if host.is_exempt else "blocked: mixed content"


def _listed(hosts: tuple[PageHost, ...]) -> str:
    return ", ".join(host.shown for host in hosts)


def _mixed(host: PageHost, table: Evidence) -> Finding:
    return Finding(
        verdict=Verdict.FAIL,
        answer=f"The web app cannot call {host.role}: an https page may not use http://",
        summary=f"{host.shown} ({host.told_by}) is mixed content for the https page of the web app: browsers send "
        "nothing, although programs get answers",
        hop=HopName.BROWSER,
        owner=Owner.LOAD_BALANCER,
        expected="https://, or http:// on this machine itself (127.0.0.1, localhost)",
        seen=f"{host.scheme}://{host.host}: blocked reason mixed-content in Chrome and Edge",
        evidence=(table,),
        remedy=serve_over_tls(host),
        sources=MIXED_CONTENT_SOURCES,
    )


def _exempt(host: PageHost, table: Evidence) -> Finding:
    return Finding(
        verdict=Verdict.WARN,
        answer=f"The web app reaches {host.role} only in Chrome and Edge, and only after Allow",
        summary=f"{host.shown} ({host.told_by}) is mixed content that Chromium lets through once the user allows local "
        "networks; the standard on mixed content alone blocks it",
        hop=HopName.BROWSER,
        owner=Owner.LOAD_BALANCER,
        expected="https://",
        seen=f"{host.scheme}://{host.host}, a literal private address or a name under .local",
        evidence=(table,),
        remedy=serve_over_tls(host),
        sources=(*MIXED_CONTENT_SOURCES, "https://wicg.github.io/local-network-access/#mixed-content"),
    )
