"""A request that is answered well as soon as it arrives otherwise: what the server expects, and nobody sends. Pure."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from btdiag.core import evidence
from btdiag.core.answers import AnswerState, state_of
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Evidence, HopName, Owner, Remedy, Snippet
from btdiag.core.hops import PROXY_LINE
from btdiag.core.statuses import StatusExplanation
from btdiag.families.readiness.facts import Arrival

NOTHING_TRIED = Arrival()


def as_it_arrives(story: StatusExplanation, arrival: Arrival) -> StatusExplanation | None:
    """The story where the same request was answered well in another form; None where it was not, or not tried."""
    if arrival.with_proxy_line is not None and _good(arrival.with_proxy_line):
        return _expects_proxy_line(story, arrival.with_proxy_line)
    if arrival.with_host is not None and _good(arrival.with_host[1]):
        return _knows_another_host(story, *arrival.with_host)
    return None


def _good(seen: Exchange) -> bool:
    return state_of(seen, page_allowed=True) is AnswerState.GOOD


def _expects_proxy_line(story: StatusExplanation, seen: Exchange) -> StatusExplanation:
    return replace(
        story,
        cause="the load balancer expects a line of the PROXY protocol before each request, which nobody sends on this "
        f"way: after one, GET / is answered {seen.status}",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        remedy=Remedy(
            text="Let the hop before it (a network load balancer) send the PROXY protocol, or let the load balancer "
            "expect none: both or neither. Clients never send it.",
            action="Let the hop in front send the PROXY protocol, or let the load balancer expect none",
            snippets=PROXY_LINE,
        ),
    )


def _knows_another_host(story: StatusExplanation, host: str, seen: Exchange) -> StatusExplanation:
    known, sent = host, urlsplit(seen.url).netloc.rpartition("@")[2]
    return replace(
        story,
        cause=f"the gateway knows the host {known}, and not {sent}: with the former, GET / is answered {seen.status}",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        remedy=Remedy(
            text=f"Let the gateway's rule match the host with and without a port ({known} and {sent}), and let the "
            "hops before it pass Host on as they got it.",
            action="Let the gateway's rule match the host with and without a port, and pass Host on unchanged",
            snippets=(
                Snippet(product="Envoy", code='strip_any_host_port: true  # or domains: ["HOST", "HOST:*"]'),
                Snippet(product="nginx", code="server_name HOST;\nproxy_set_header Host $host;"),
                Snippet(product="HAProxy", code="use_backend api if { req.hdr(host),field(1,:) -i HOST }"),
            ),
        ),
    )


def arrival_evidence(arrival: Arrival) -> tuple[Evidence, ...]:
    """What the request in the other form was answered, where it was sent."""
    if arrival.with_proxy_line is not None:
        return (evidence.exchange(arrival.with_proxy_line, "After a line of the PROXY protocol: GET /"),)
    if arrival.with_host is not None:
        return (evidence.exchange(arrival.with_host[1], f"With Host: {arrival.with_host[0]}"),)
    return ()
