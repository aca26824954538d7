"""What a bad answer means: for each status and sender the likely cause, the hop, its owner and what to change.

Sources: RFC 9110 section 15; for the load balancers' own answers the troubleshooting pages named in `SOURCES`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from btdiag.core.exchange import Exchange, Phase, Trouble
from btdiag.core.finding import HopName, Owner, Remedy, Snippet
from btdiag.core.hops import HopFault, advice, fault_of, is_ours, remedy
from btdiag.core.sender import (
    Confidence,
    Page,
    Redirect,
    Sender,
    has_control_characters,
    page,
    redirect,
    retry_after,
    sender,
)

SOURCES: tuple[str, ...] = (
    "RFC 9110 section 15",
    "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html",
    "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/troubleshooting-response-errors.html",
    "https://learn.microsoft.com/azure/frontdoor/troubleshoot-issues",
    "https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusExplanation:
    """The likely story behind a bad answer. `cause` continues "GET / was answered 502: ..."."""

    cause: str
    hop: HopName
    owner: Owner
    remedy: Remedy
    sender: Sender | None = None


def explain(seen: Exchange) -> StatusExplanation:
    """The likely cause of an exchange that did not give what it should: a failure, a redirect, a page, a status."""
    if seen.failure is not None:
        return _failure(seen)
    leads = redirect(seen)
    if leads is not None:
        return _redirected(seen, leads)
    return explain_status(seen)


def explain_status(seen: Exchange) -> StatusExplanation:
    """The likely cause of a status, or of an HTML page where the API was expected."""
    who = sender(seen)
    status = seen.status or 0
    if 200 <= status < 400:
        return _page(seen, who)
    if who.hop is HopName.PROXY:
        return _blocked_on_the_way(who)
    if who.hop is HopName.CONTROL_PLANE:
        return _control_plane(who)
    if 520 <= status <= 530:
        return _cloudflare(status, who)
    fault = fault_of(seen)
    if fault is not None:
        return _between_hops(fault, seen, who)
    rule = _RULES.get(status) or (_server_error if status >= 500 else _client_error)
    return replace(rule(seen, who), sender=who)


def _between_hops(fault: HopFault, seen: Exchange, who: Sender) -> StatusExplanation:
    """Two hops that do not understand each other; where the first of them is this request itself, its URL is wrong."""
    if is_ours(fault, seen, who):
        found = _at_balancer(
            "plain HTTP was sent to a TLS port", "Use https:// in the URL, or let this port speak plain HTTP."
        )
        return replace(found, sender=who)
    said = advice(fault, who)
    return StatusExplanation(
        cause=said.cause,
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        remedy=remedy(said),
        sender=who,
    )


def _at_api(cause: str, text: str) -> StatusExplanation:
    return StatusExplanation(cause=cause, hop=HopName.API, owner=Owner.API, remedy=Remedy(text=text))


def _at_balancer(cause: str, text: str, *snippets: Snippet) -> StatusExplanation:
    remedy = Remedy(text=text, snippets=snippets)
    return StatusExplanation(cause=cause, hop=HopName.LOAD_BALANCER, owner=Owner.LOAD_BALANCER, remedy=remedy)


def _from_api(who: Sender) -> bool:
    return who.hop is HopName.API and who.confidence is not Confidence.UNKNOWN


def _blocked_on_the_way(who: Sender) -> StatusExplanation:
    looks = "" if who.confidence is Confidence.CERTAIN else "what looks like "
    return StatusExplanation(
        cause=f"{looks}{who.name}, a web filter or proxy on the way, answered in place of the target ({who.why})",
        hop=HopName.PROXY,
        owner=Owner.PROXY,
        remedy=Remedy(text="Ask the proxy administrator to allow this host, without inspection of its content."),
        sender=who,
    )


def _control_plane(who: Sender) -> StatusExplanation:
    found = _at_balancer(
        f"the answer is from the hosted web app, not from a data plane ({who.why})",
        "Point the target's name, or the load balancer's rule, at the data plane's API server; the web app is not it.",
    )
    return replace(found, sender=who)


def _unauthorized(seen: Exchange, who: Sender) -> StatusExplanation:
    if _from_api(who):
        return _at_api(
            "the API server demands a login for a path that needs none",
            "GET / needs no key on a Braintrust API server: check that the load balancer routes this host to it, and "
            "not to another application.",
        )
    scheme = (seen.header("www-authenticate") or "").partition(" ")[0]
    kind = f" ({scheme} authentication)" if scheme else ""
    return _at_balancer(
        f"a login in front of the API demands credentials{kind}",
        "Exempt the API's host and paths from that authentication, or let only the web app use it: SDKs and browsers "
        "send the Braintrust API key and nothing else.",
    )


def _forbidden(seen: Exchange, who: Sender) -> StatusExplanation:
    if who.name == "AWS API Gateway":
        return _at_balancer(
            "API Gateway has no such route, which it words as a missing authentication token",
            "Upgrade the Terraform module of the data plane, whose list of routes lacks this path; the key is not "
            "at fault.",
        )
    if who.name in {"Amazon S3", "object store (S3 protocol)"}:
        return _at_balancer(
            "the request went to an object store, not to the API server",
            "Correct the load balancer's or CDN's default rule: its origin for this path must be the API server.",
        )
    if _from_api(who):
        return _at_api(
            "the API server refuses",
            "Check ORG_NAME, PRIMARY_ORG_NAME and ALLOWED_ORG_IDS of the API server, and its log for this request.",
        )
    return _at_balancer(
        "an access rule or a web application firewall in front of the API refuses",
        "Find the request by its time and id in the firewall's or load balancer's log, and allow this path, method and "
        "source address.",
    )


def _not_found(seen: Exchange, who: Sender) -> StatusExplanation:
    if _from_api(who) or who.confidence is Confidence.UNKNOWN:
        return _at_api(
            "the server that answers does not know the path",
            "Check the path prefix in the URL, and that the load balancer strips or keeps it as the API server "
            "expects.",
        )
    return _at_balancer(
        "no rule of the gateway matches this host and path",
        "Add a rule for exactly this host name, all paths (/ and below), that leads to the API server's port 8000.",
        Snippet(
            product="Kubernetes Ingress",
            code="rules:\n  - host: HOST\n    http:\n      paths:\n        - path: /\n          pathType: Prefix\n"
            "          backend:\n            service: {name: braintrust-api, port: {number: 8000}}",
        ),
    )


def _misdirected(seen: Exchange, who: Sender) -> StatusExplanation:
    if _from_api(who) or who.confidence is Confidence.UNKNOWN:
        return _at_api(
            "the server says that it is not the one for this organisation or host name",
            "Use the API URL that the organisation's settings name (Settings > Data plane): 421 is what an "
            "organisation with a data plane of its own gets elsewhere.",
        )
    return _at_balancer(
        "the gateway serves no such host name on this TLS connection",
        "Add the host name to the gateway's listener, and a certificate for it, or correct the SNI to Host mapping.",
    )


def _rate_limited(seen: Exchange, who: Sender) -> StatusExplanation:
    when = retry_after(seen)
    build = _at_api if _from_api(who) else _at_balancer
    text = f"Wait{f' {when}' if when else ''} and run again; if users see it too, raise the limit of {who.words}."
    return build("too many requests", text)


def _server_error(seen: Exchange, who: Sender) -> StatusExplanation:
    if _from_api(who) or who.confidence is Confidence.UNKNOWN:
        return _at_api(
            "the API server failed while it handled the request",
            "Read the API server's log at this time; look at its database, Redis and object store, and at a blocked "
            "event loop (more replicas).",
        )
    return _at_balancer(
        f"{who.name} failed by itself",
        f"Read the log of {who.name} at this time: the request did not get an answer of the API server.",
    )


def _client_error(seen: Exchange, who: Sender) -> StatusExplanation:
    if who.confidence is Confidence.UNKNOWN:
        return _at_balancer(
            f"{who.words} rejects the request, in words of no product that is known",
            "Find out which hop says so: send the same request to each of them, the API server first (--backend), and "
            "look at the first that answers so. If the API server answers well, compare what the hop before it sends: "
            "Host with and without port, HTTP version, TLS or plain, PROXY protocol.",
        )
    build = _at_api if _from_api(who) else _at_balancer
    return build(f"{who.words} rejects the request", f"Read the log of {who.words} at this time.")


def _bad_gateway(seen: Exchange, who: Sender) -> StatusExplanation:
    return _at_balancer(
        "the load balancer got no usable answer from the API server",
        "Check that the API server runs, that the target port is 8000 and speaks plain HTTP there, and that its "
        "keep-alive (TS_API_KEEP_ALIVE_TIMEOUT_SECONDS) outlives the load balancer's idle timeout; ask it directly "
        "with --backend.",
    )


def _unavailable(seen: Exchange, who: Sender) -> StatusExplanation:
    if _from_api(who):
        return _at_api(
            "the API server says that it is unavailable",
            "Read the API server's log; it may be starting, or its database or Redis may be away.",
        )
    return _at_balancer(
        "the load balancer has no healthy target",
        "Look at the target group or the endpoints: their health check must be GET / on port 8000, accepting "
        "200-399, and not /status; if all targets are unhealthy, the API server's pods or tasks are down.",
    )


def _timed_out(seen: Exchange, who: Sender) -> StatusExplanation:
    return _at_balancer(
        "the load balancer waited for the API server in vain",
        "Check that the API server's security group or network policy lets the load balancer in on port 8000, and "
        "if it is overloaded; then the load balancer's own timeout. Ask the API server directly with --backend.",
    )


_RULES = {
    401: _unauthorized,
    403: _forbidden,
    404: _not_found,
    421: _misdirected,
    429: _rate_limited,
    502: _bad_gateway,
    503: _unavailable,
    504: _timed_out,
}

_CLOUDFLARE = {
    520: "got an empty or unexpected answer from the origin",
    521: "was refused a connection by the origin",
    522: "timed out while connecting to the origin",
    523: "has no route to the origin",
    524: "was connected, but the origin took too long to answer",
    525: "could not complete the TLS handshake with the origin",
    526: "does not trust the origin's certificate",
    530: "cannot resolve or reach the origin",
}


def _cloudflare(status: int, who: Sender) -> StatusExplanation:
    found = _at_balancer(
        f"Cloudflare {_CLOUDFLARE.get(status, 'could not get an answer from the origin')}",
        "Let Cloudflare's addresses reach the load balancer behind it, with a certificate that fits its SSL mode, "
        "and check that load balancer by itself with --resolve.",
    )
    return replace(found, sender=who)


def _page(seen: Exchange, who: Sender) -> StatusExplanation:
    """A successful answer that is a web page."""
    kind = page(seen)
    if who.hop is HopName.PROXY:
        return _blocked_on_the_way(who)
    if kind is Page.PORTAL:
        return _portal("a captive portal answers in place of the target", "in a browser", who)
    if who.hop is HopName.CONTROL_PLANE:
        return _control_plane(who)
    if kind is Page.LOGIN:
        cause = "a login in front of the API shows its page"
        text = "Exempt the API's host from that login: SDKs and browsers send the Braintrust API key and nothing else."
    elif has_control_characters(seen):
        cause = "the answer carries control characters (terminal escapes or binary data), as no API server sends them"
        text = "This is no Braintrust API server, or something in between is broken: check what the name points to."
    elif kind in {Page.BLOCK, Page.CHALLENGE}:
        cause = f"{kind} stands in front of the API"
        text = (
            "Allow this path, method and source in the firewall that shows the page; challenges cannot be solved "
            "by SDKs."
        )
    else:
        cause = f"{kind or 'something that is no API'} is served where the API is expected"
        text = "Point the target's host and path at the API server (port 8000) instead of a web site."
    return replace(_at_balancer(cause, text), sender=who)


def _redirected(seen: Exchange, leads: Redirect) -> StatusExplanation:
    who = sender(seen)
    if who.hop is HopName.PROXY:
        return _blocked_on_the_way(who)
    if seen.tls_verified is False and not leads.same_host:
        cause = f"something that cannot prove to be the target redirects to {leads.url}, as captive portals do"
        return _portal(cause, f"at {leads.url}", who)
    if leads.to_login:
        cause = f"a login in front of the API redirects to {leads.url}"
        text = "Exempt the API's host from that login: SDKs and browsers send the Braintrust API key and nothing else."
    elif leads.to_https:
        cause = f"the target redirects to {leads.url}"
        text = (
            f"Use {leads.url} as the API URL everywhere: clients turn a redirected POST into a GET and may drop the "
            "key."
        )
    else:
        cause = f"the target redirects to another host, {leads.url}"
        text = (
            f"Use the final host as the API URL, if {leads.url} is the data plane; else correct the rule that "
            "redirects."
        )
    return replace(_at_balancer(cause, text), sender=who)


def _portal(cause: str, way_in: str, who: Sender) -> StatusExplanation:
    return StatusExplanation(
        cause=cause,
        hop=HopName.NETWORK,
        owner=Owner.NETWORK,
        remedy=Remedy(text=f"Log in to the network {way_in}, or use another network, then run again."),
        sender=who,
    )


_FAILURES: dict[Trouble, tuple[str, str]] = {
    Trouble.TIMEOUT: (
        "the connection stands, but the answer did not come in time",
        "See whether the load balancer forwards the request at all (its log) and whether the API server is stuck: "
        "ask it directly with --backend.",
    ),
    Trouble.RESET: (
        "the connection was reset after the request",
        "Look for a firewall that cuts the connection, and in the load balancer's log for this request.",
    ),
    Trouble.CLOSED: (
        "the connection was closed before the answer was complete",
        "HAProxy does so when its connection to the backend dies; else the API server crashed: read both logs at "
        "this time.",
    ),
    Trouble.PROTOCOL: (
        "what came is not HTTP, or broken HTTP",
        "Something else than an HTTP server listens there: check the port, and the protocol of the load balancer's "
        "listener.",
    ),
    Trouble.TOO_LARGE: (
        "the answer does not end within any sane limit",
        "This is no Braintrust API server, or a broken or hostile machine in between: check what the name points to.",
    ),
    Trouble.ALERT: (
        "the TLS connection was ended with an alert",
        "Servers do so when they demand a client certificate: give one with --client-cert, or stop demanding it "
        "for the API.",
    ),
}


def _failure(seen: Exchange) -> StatusExplanation:
    failure = seen.failure
    assert failure is not None
    if failure.phase is Phase.PROXY:
        remedy = Remedy(text="Ask the proxy administrator; see the check connection.proxy-lets-through.")
        return StatusExplanation(cause=failure.detail, hop=HopName.PROXY, owner=Owner.PROXY, remedy=remedy)
    if failure.phase in {Phase.TCP, Phase.TLS}:
        remedy = Remedy(text="Nothing usable listens there: start it, open the firewall, or correct address and port.")
        cause = f"no connection ({failure.phase}: {failure.detail})"
        return StatusExplanation(cause=cause, hop=HopName.NETWORK, owner=Owner.NETWORK, remedy=remedy)
    cause, text = _FAILURES.get(failure.trouble, ("the exchange broke off", "Repeat it with curl -v and compare."))
    return _at_balancer(f"{cause} ({failure.detail})", text)
