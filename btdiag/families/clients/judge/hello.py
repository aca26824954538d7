"""Does a ClientHello of today's size get through: told by large and small ones to the same address, by turns."""

from __future__ import annotations

from btdiag.core import evidence
from btdiag.core.client_kinds import ClientKind
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.target import Target
from btdiag.families.clients.facts import LargeHello
from btdiag.families.clients.judge.counting import severity


def handshake_is_not_too_large(hello: LargeHello, target: Target) -> Finding:
    """The claim of clients.handshake-is-not-too-large."""
    size = hello.large[0].size
    if hello.large[0].answered:
        text = f"{hello.label} answers a ClientHello of {size:,} bytes, more than one packet holds, as browsers send it"
        return Finding(verdict=Verdict.PASS, summary=text, evidence=(_table(hello),))
    large, small = sum(one.answered for one in hello.large), sum(one.answered for one in hello.small)
    if large == 0 and small == len(hello.small):
        return _refused(hello, target)
    return Finding(
        verdict=Verdict.INCONCLUSIVE,
        summary=f"of {len(hello.large)} ClientHellos of {size:,} bytes {large} were answered at {hello.label}, of "
        f"{len(hello.small)} small ones {small}: not for their size, as it seems; run again",
        evidence=(_table(hello),),
    )


def _refused(hello: LargeHello, target: Target) -> Finding:
    large, small = hello.large[0], hello.small[0]
    said = "; ".join(dict.fromkeys(one.detail for one in hello.large))
    return Finding(
        verdict=severity((ClientKind.BROWSER,), target),
        summary=f"a ClientHello of {large.size:,} bytes gets no answer at {hello.label} ({said}), one of "
        f"{small.size:,} bytes with the same content does: {len(hello.large)} of {len(hello.large)} and "
        f"{len(hello.small)} of {len(hello.small)} times. Chrome, Edge and Firefox, Go from 1.24 and OpenSSL from 3.5 "
        "send large ones, for their post-quantum key does not fit into one packet",
        answer="Browsers cannot connect: a ClientHello of more than one packet gets no answer",
        hop=HopName.NETWORK,
        owner=Owner.NETWORK,
        expected="an answer, whatever the size of the ClientHello (RFC 8446 section 5.1: up to 2^14 bytes a record)",
        seen=said,
        evidence=(_table(hello),),
        remedy=Remedy(
            text="Update or replace what reads ClientHellos before the load balancer (firewall, TLS inspection, SNI "
            "router, the load balancer itself): it takes the first packet for the whole. Packets that are lost for "
            "their size (MTU) look alike: compare with a large request.",
            action="Update the firewall or load balancer that reads no more than one packet of the ClientHello",
            snippets=(
                Snippet(
                    product="Chrome (until then, by policy)",
                    code='{"PostQuantumKeyAgreementEnabled": false}',
                ),
                Snippet(product="Go (until then)", code="export GODEBUG=tlsmlkem=0"),
            ),
        ),
        sources=(
            "https://tldr.fail/",
            "https://go.dev/doc/go1.24#cryptotlspkgcryptotls",
            "RFC 7685",
        ),
    )


def _table(hello: LargeHello) -> Evidence:
    rows = [
        (one.size, "answered" if one.answered else "not answered", one.detail) for one in (*hello.large, *hello.small)
    ]
    return evidence.table(f"ClientHellos to {hello.label}", ("bytes", "outcome", "seen"), rows)
