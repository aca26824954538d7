"""Does the proxy open a way to the target, and if not, what does its answer mean?"""

from __future__ import annotations

from collections.abc import Mapping

from btdiag.core import evidence
from btdiag.core.exchange import Failure, Phase, Trouble
from btdiag.core.finding import Finding, HopName, Owner, Remedy, Verdict
from btdiag.core.handshake import Connection, ProxyReply
from btdiag.core.target import Target
from btdiag.families.connection.judge.reach import phases


def proxy_lets_through(connections: Mapping[str, Connection], target: Target) -> Finding:
    """The claim of connection.proxy-lets-through: the proxy is there and opens a tunnel to the target."""
    proxied = {label: one for label, one in connections.items() if one.proxied}
    if target.proxy is None or not proxied:
        note = f" ({target.proxy_note})" if target.proxy_note else ""
        return Finding(verdict=Verdict.SKIP, summary=f"no proxy is used for this target{note}")
    one = next(iter(proxied.values()))
    if one.broke_at is not Phase.PROXY:
        text = f"the proxy {target.proxy.url} (from {target.proxy.source}) lets {target.host}:{target.port} through"
        return Finding(verdict=Verdict.PASS, summary=text)
    reply = one.proxy_reply or _reply_to_request(one)
    sentence, advice = _refusal(reply) if reply else _absent(one.failure)
    return Finding(
        verdict=Verdict.INCONCLUSIVE if one.failure and one.failure.trouble is Trouble.LOCAL else Verdict.FAIL,
        summary=f"the proxy {target.proxy.url} (from {target.proxy.source}) {sentence}",
        answer=_ANSWERS[_kind_of_refusal(reply.status, reply.header("X-Squid-Error"))]
        if reply
        else "The proxy does not answer: nothing reaches the data plane from here",
        hop=HopName.PROXY,
        owner=Owner.PROXY,
        expected=f"2xx to CONNECT {target.host}:{target.port}",
        seen=one.failure.detail if one.failure else "status 407",
        evidence=(evidence.facts("What the proxy answered", reply),) if reply else (phases(proxied),),
        remedy=Remedy(text=advice.format(host=f"{target.host}:{target.port}", source=target.proxy.source)),
        sources=("RFC 9110 sections 9.3.6 and 11.7.1",),
    )


def _refusal(reply: ProxyReply) -> tuple[str, str]:
    """What a status to CONNECT means. Squid tells more in X-Squid-Error."""
    vendor = reply.header("X-Squid-Error") or reply.header("Via") or reply.header("Server")
    sentence = f"answers {reply.status} {reply.reason}".rstrip() + (f" [{vendor}]" if vendor else "")
    return sentence, _REFUSALS[_kind_of_refusal(reply.status, vendor)]


def kind_of_refusal(one: Connection) -> str:
    """What a proxy's answer means: "login", "unreachable", "redirect", "no proxy" or "forbidden"; "" without one."""
    reply = one.proxy_reply or _reply_to_request(one)
    return _kind_of_refusal(reply.status, reply.header("X-Squid-Error")) if reply else ""


def _kind_of_refusal(status: int, vendor: str) -> str:
    if status == 407:
        return "login"
    if status in {500, 502, 503, 504} or vendor.startswith("ERR_CANNOT_FORWARD"):
        return "unreachable"
    if 300 <= status < 400:
        return "redirect"
    return "no proxy" if status in {400, 405, 501} else "forbidden"


_ANSWERS = {
    "login": "The proxy demands a login: nothing reaches the data plane from here",
    "unreachable": "The proxy cannot reach the data plane",
    "redirect": "The proxy shows a page of its own in place of the data plane",
    "no proxy": "What the proxy's URL leads to is no proxy",
    "forbidden": "The proxy forbids the data plane's host",
}
_REFUSALS = {
    "login": "The proxy demands a login: put it into the proxy URL ({source}), as http://USER:PASSWORD@HOST:PORT.",
    "unreachable": "The proxy cannot reach {host}: look at name resolution and the firewall where the proxy runs.",
    "redirect": "The proxy redirects to a page of its own, as filters do for a blocked host: have {host} allowed "
    "there.",
    "no proxy": "This is no forward proxy, or it does not do CONNECT: correct {source}, or exclude {host} by NO_PROXY.",
    "forbidden": "Have {host} allowed for CONNECT (host and port), or exclude it by NO_PROXY if it is reachable "
    "directly.",
}


def _reply_to_request(one: Connection) -> ProxyReply | None:
    """The proxy's own answer to an http:// request, for which no tunnel is asked."""
    answer = one.greeting
    return (
        ProxyReply(status=answer.status, reason=answer.reason, headers=answer.headers)
        if answer and answer.status
        else None
    )


def _absent(failure: Failure | None) -> tuple[str, str]:
    return (
        f"does not answer: {failure.detail if failure else 'nothing came'}",
        "Start the proxy or correct {source}; if {host} is reachable without it, unset the variable or list the host "
        "in NO_PROXY.",
    )
