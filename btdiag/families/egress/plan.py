"""What reaching out will send, for --dry-run: a line for each request, and for what follows where one fails."""

from __future__ import annotations

from btdiag.core.target import Mode, Target
from btdiag.core.urls import url_parts
from btdiag.families.egress.facts import LARGER, TELEMETRY, Host, hosts
from btdiag.families.egress.ways import exempted_from, proxy_for
from btdiag.families.sdk.needs import LOGIN


def planned(target: Target, mode: Mode) -> list[str]:
    """The lines for a target: its hosts in the order in which they are listed."""
    every = hosts(target)
    names = ", ".join(dict.fromkeys(host.name for host in every))
    lines = [f"A and AAAA queries for {names} (through a proxy only where that opens no way)"] if names else []
    for host in every:
        purpose = "must stay blocked" if host.expect_blocked else f"for {host.why}"
        lines.append(f"HEAD {host.url}/ and GET {_asked_url(host)} ({purpose})")
        if host.calls_api:
            login = f"{host.url.rstrip('/')}{LOGIN.path}"
            lines.append(f"{LOGIN.method} {login} (no key), again with {LARGER // 1024} KiB; GET where POST is stopped")
        if host.takes_telemetry:
            lines.append(f"GET {host.url.rstrip('/')}{TELEMETRY} (where telemetry goes; nothing is sent)")
        if host.upgrades:
            lines.append(f"GET {_asked_url(host)} with Upgrade: websocket")
        lines += _other_way(host, target)
    if every:
        lines.append("where a handshake or the GET meets silence: the same once more, with 15 s to answer")
    if any(host.url.startswith("https:") for host in every):
        lines.append(
            "where TLS to one of these hosts breaks off: a handshake without server name, one with TLS 1.0 or 1.1, one "
            "that looks for a demanded client certificate, HEAD in plain HTTP on the same port, and a connection on "
            "which nothing is sent"
        )
        lines.append("where a certificate is not known to be of a public CA: a handshake for each trust store here")
    return lines


def _other_way(host: Host, target: Target) -> list[str]:
    """What is tried where the way chosen for a host is blocked or takes long: the one that was not chosen."""
    parts = url_parts(host.url)
    hello = "a TCP connection and a TLS handshake" if parts.scheme == "https" else "a TCP connection"
    if (proxy := proxy_for(host.url, target)[0]) is not None:
        return [
            f"where the proxy {proxy.url} blocks the way to {parts.host} or takes long: A and AAAA queries for "
            f"{parts.host} and, past the proxy, {hello} to port {parts.port} of the first address found, be it public, "
            "private or loopback"
        ]
    if (passed := exempted_from(host.url, target)) is not None:
        return [
            f"where the way to {parts.host} is blocked or takes long: CONNECT {parts.host}:{parts.port} at the proxy "
            f"{passed.url} ({passed.source}), which NO_PROXY takes this host out of, and {hello} through it"
        ]
    return []


def _asked_url(host: Host) -> str:
    return host.url if url_parts(host.url).path else f"{host.url}/"
