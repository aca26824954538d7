"""Does the proxy open a way to the target, and if not, what does its answer mean?"""

from __future__ import annotations

from collections.abc import Mapping

from btdiag.core import evidence
from btdiag.core.exchange import Failure, Phase, Trouble
from btdiag.core.finding import Finding, HopName, Owner, Remedy, Verdict
from btdiag.core.handshake import Connection, ProxyReply
from btdiag.core.target import Proxy, Target
from btdiag.families.connection.judge.reach import NO_TLS_RECORD, phases


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
    kind = _kind(reply, target.proxy) if reply else _absence(one.failure)
    said = _refusal(reply) if reply else _ABSENCES[kind].format(one.failure.detail if one.failure else "nothing came")
    return Finding(
        verdict=Verdict.INCONCLUSIVE if one.failure and one.failure.trouble is Trouble.LOCAL else Verdict.FAIL,
        summary=f"the proxy {target.proxy.url} (from {target.proxy.source}) {said}"
        + (f"; {target.proxy_note}" if target.proxy_note else ""),
        answer=_ANSWERS[kind],
        hop=HopName.PROXY,
        owner=Owner.PROXY,
        expected=f"2xx to CONNECT {target.host}:{target.port}",
        seen=one.failure.detail if one.failure else "status 407",
        evidence=(evidence.facts("What the proxy answered", reply),) if reply else (phases(proxied),),
        remedy=_remedy(kind, target, target.proxy),
        sources=("RFC 9110 sections 9.3.6 and 11.7.1",),
    )


def _remedy(kind: str, target: Target, proxy: Proxy) -> Remedy:
    text = _REMEDIES[kind].format(host=f"{target.host}:{target.port}", source=proxy.source)
    if not target.proxy_note:
        return Remedy(text=text)
    return Remedy(
        text=f"NO_PROXY is meant to exempt the host, in a form that curl and Python do not read: write {target.host} "
        f"there, which every program does. If it is to be asked for through the proxy: {text}",
        action="Write the host itself into NO_PROXY, in the form that every program reads",
    )


def _refusal(reply: ProxyReply) -> str:
    """What it answered to CONNECT. Squid tells more in X-Squid-Error."""
    vendor = reply.header("X-Squid-Error") or reply.header("Via") or reply.header("Server")
    return f"answers {reply.status} {reply.reason}".rstrip() + (f" [{vendor}]" if vendor else "")


def _kind(reply: ProxyReply, proxy: Proxy) -> str:
    """As kind_of_refusal; of a login that is demanded also whether one was sent, and whether it could be."""
    kind = _kind_of_refusal(
        reply.status, reply.header("X-Squid-Error") or reply.header("Via") or reply.header("Server")
    )
    if kind != "login":
        return kind
    offered = [value for name, value in reply.headers if name.lower() == "proxy-authenticate"]
    if offered and not any(part.strip().lower().startswith("basic") for one in offered for part in one.split(",")):
        return "another login"
    return "wrong login" if proxy.credentials is not None else "login"


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
    "wrong login": "The proxy refuses the login that it is given: nothing gets out from here",
    "another login": "The proxy demands a login of a kind that SDKs do not have",
    "absent": "The proxy does not answer: nothing reaches the data plane from here",
    "no TLS": "The proxy does not speak TLS, as its https:// URL says",
    "untrusted": "The proxy's own certificate is not trusted: nothing gets out from here",
    "unreachable": "The proxy cannot reach the data plane",
    "redirect": "The proxy shows a page of its own in place of the data plane",
    "no proxy": "What the proxy's URL leads to is no proxy",
    "forbidden": "The proxy forbids the data plane's host",
}
_REMEDIES = {
    "login": "The proxy demands a login: put it into the proxy URL ({source}), as http://USER:PASSWORD@HOST:PORT.",
    "wrong login": "The login in {source} was sent, and the proxy refuses it: renew user name or password there, with "
    "every character but letters and digits as %XX.",
    "another login": "The proxy offers no Basic login, which is all that SDKs send by themselves (no Negotiate, no "
    "NTLM): allow {host} without a login, or run a local proxy that logs in.",
    "absent": "Start the proxy or correct {source}; if {host} is reachable without it, unset the variable or list the "
    "host in NO_PROXY.",
    "no TLS": "Write http:// before the proxy's host in {source}: that is how clients talk to the proxy, whatever they "
    "ask it for; https:// is for a proxy with a certificate of its own.",
    "untrusted": "Let this machine and every client trust the CA of the proxy's certificate, or use the proxy's "
    "http:// port in {source}.",
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


def _absence(failure: Failure | None) -> str:
    """Why no answer to CONNECT came: an error of TLS to the proxy comes from a proxy that is there."""
    if failure is not None and failure.trouble is Trouble.UNTRUSTED:
        return "untrusted"
    return "no TLS" if failure is not None and failure.detail in NO_TLS_RECORD else "absent"


_ABSENCES = {
    "absent": "does not answer: {}",
    "no TLS": "is asked over TLS, as its URL says, and speaks none ({})",
    "untrusted": "shows a certificate of its own that is not trusted here ({})",
}
