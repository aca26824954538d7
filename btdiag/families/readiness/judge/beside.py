"""A bad answer of the front beside what the API server itself says: which of the two is at fault, and what to compare.
Pure."""

from __future__ import annotations

from dataclasses import replace

from btdiag.core import evidence
from btdiag.core.answers import AnswerState, in_words, state_of
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Evidence, HopName, Owner, Remedy, Snippet
from btdiag.core.hops import ADDRESSES, fault_of
from btdiag.core.measurement import NotMeasured
from btdiag.core.sender import sender
from btdiag.core.statuses import StatusExplanation, first_for


def with_backend(story: StatusExplanation, shown: Exchange, backend: Exchange | NotMeasured) -> StatusExplanation:
    """The story, sharpened by what the API server itself says when it is asked past the load balancer."""
    if isinstance(backend, NotMeasured) or story.hop not in {HopName.LOAD_BALANCER, HopName.API}:
        return story
    if state_of(backend) is AnswerState.GOOD:
        so = "the load balancer reaches another server" if story.hop is HopName.API else "the load balancer is at fault"
        cause = f"{story.cause}; the API server itself answers {backend.status} at {backend.url}, so {so}"
        remedy = _compared(story, shown, backend)
        return replace(story, cause=cause, hop=HopName.LOAD_BALANCER, owner=Owner.LOAD_BALANCER, remedy=remedy)
    if state_of(backend) is AnswerState.BAD:
        return replace(
            story,
            cause=f"{story.cause}; the API server itself gives {in_words(backend)} at {backend.url}, so start there",
            hop=HopName.API,
            owner=Owner.API,
            remedy=Remedy(
                text="Start the API server, or mend it by its own log; the load balancer only passes on what it gets."
            ),
        )
    return story


_ON_BEHALF = frozenset({500, 502, 503, 504})  # what a load balancer says, or passes on, about the server behind it
_OF_THE_REQUEST = frozenset({400, 404, 421, 426})  # what is said to a request that arrived otherwise than it was sent


def _compared(story: StatusExplanation, shown: Exchange, backend: Exchange) -> Remedy:
    """What to compare, where the API server is well: the way to it, or what arrives; a fault that is known stays."""
    if fault_of(shown) is not None:
        return story.remedy
    if shown.failure or shown.status in _ON_BEHALF:
        return _reach(shown, backend)
    return _arrives(backend) if shown.status in _OF_THE_REQUEST else story.remedy


def _arrives(backend: Exchange) -> Remedy:
    return Remedy(
        text=f"{backend.url} answers the same request well when it is sent directly, so compare what the load balancer "
        "makes of it: the Host header (rewritten, or with a port), the path, the HTTP version, the PROXY protocol "
        "(sent by one and expected by the other, or neither), TLS or plain.",
        action="Compare what the load balancer sends to the API: Host, path, HTTP version, PROXY protocol, TLS",
        snippets=(
            Snippet(product="nginx", code="proxy_set_header Host $host;\nproxy_http_version 1.1;"),
            Snippet(product="HAProxy", code="server api api:8000  # send-proxy only where the API has accept-proxy"),
        ),
    )


AT_ONCE_S = 1.0  # a connection that is refused or cut takes a round trip, one that nobody answers seconds


def _reach(shown: Exchange, backend: Exchange) -> Remedy:
    """Where the way to an API server that is well is broken: at once, or after a wait that found nobody."""
    if shown.timing.total_s <= AT_ONCE_S:
        text = (
            f"{backend.url} answers, and the load balancer fails at once: correct the address or port that it has for "
            "the API server (one that resolves a name only when it starts keeps a stale address until it is reloaded), "
            "and compare TLS, HTTP version and PROXY protocol on both sides."
        )
        action = (
            "Correct, or reload, the address that the load balancer has for the API; compare TLS and PROXY protocol"
        )
    else:
        text = (
            f"{backend.url} answers, and nobody answers the load balancer: let its security group or network policy "
            "reach the API server's port, and correct the address that it has for it (a stale one answers nobody)."
        )
        action = "Let the load balancer reach the API server (security group, network policy); correct its address"
    return Remedy(text=text, action=action, snippets=first_for(sender(shown), ADDRESSES))


def direct_evidence(backend: Exchange | NotMeasured) -> tuple[Evidence, ...]:
    """What the API server itself said, where it was asked."""
    return (
        ()
        if isinstance(backend, NotMeasured)
        else (evidence.exchange(backend, f"Past the load balancer: GET {backend.url}"),)
    )
