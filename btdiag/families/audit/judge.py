"""Do audit headers arrive, and can what they hold be read? Strict and bounded: the header comes from outside.

The wire form of x-bt-audit-resources is a JSON object with `v` (1) and `p`, base64 of a gzip stream of a JSON list, as
parse_audit_resources of the Python SDK reads it since December 2024.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Sequence
from urllib.parse import urlsplit

from btdiag.core import evidence
from btdiag.core.answers import exchange_proofs, in_words, rate_limited
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.sender import sender
from btdiag.core.statuses import first_for
from btdiag.families.audit.facts import NAMES, PREFIX, REQUEST_HEADER, RESOURCES, Audit, Resources, is_broken

PROTOCOL = 1
DECODED_LIMIT = 1024 * 1024  # bytes; a request touches few resources, and a gzip bomb is no audit entry
KEY_IS_ACCEPTED = "readiness.key-is-accepted"
HEADERS_ARRIVE = "audit.headers-arrive"


SOURCES = (
    "https://www.braintrust.dev/docs/admin/self-hosting (audit headers)",
    "https://pypi.org/project/braintrust/ (braintrust.audit.parse_audit_resources)",
    "RFC 1952",
)


def decode_resources(value: str) -> Resources:
    """The types of the resources in a header's value. Never raises; at most DECODED_LIMIT bytes are unpacked."""
    try:
        envelope = json.loads(value)
    except (ValueError, RecursionError):
        bare = _unpack(value)
        problem = bare.problem and "it is neither JSON nor base64 of a gzip stream"
        return Resources(types=bare.types, problem=problem, flat=not problem)
    if not isinstance(envelope, dict) or not {"v", "p"} <= envelope.keys():
        return Resources(problem="it is JSON without the fields v and p")
    if envelope["v"] is True or envelope["v"] != PROTOCOL:
        return Resources(problem=f"its protocol version is {str(envelope['v'])[:40]}, and SDKs read version {PROTOCOL}")
    if not isinstance(envelope["p"], str):
        return Resources(problem="its payload p is no string")
    return _unpack(envelope["p"])


def _unpack(payload: str) -> Resources:
    try:
        packed = base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError) as error:
        return Resources(problem=f"its payload is no base64 ({error})")
    unpacker = zlib.decompressobj(wbits=31)
    try:
        content = unpacker.decompress(packed, DECODED_LIMIT)
    except zlib.error as error:
        return Resources(problem=f"its payload is no gzip stream ({error})")
    if unpacker.unconsumed_tail:
        return Resources(problem=f"its payload unpacks to more than {DECODED_LIMIT} bytes")
    if not unpacker.eof:
        return Resources(problem="its payload is cut off, as by a limit on the size of headers")
    return _entries(content)


def _entries(content: bytes) -> Resources:
    try:
        listed = json.loads(content)
    except (ValueError, RecursionError):
        return Resources(problem="its payload unpacks to something that is no JSON")
    if not isinstance(listed, list) or not all(isinstance(entry, dict) and "type" in entry for entry in listed):
        return Resources(problem="its payload is no list of resources with a type")
    return Resources(types=tuple(str(entry["type"])[:40] for entry in listed))


def headers_arrive(front: Audit, direct: Audit | NotMeasured) -> Finding:
    """The claim of audit.headers-arrive."""
    if front.lost is not None:
        return _too_long(front, front.lost, direct)
    gate = _gate(front)
    if gate is not None:
        return gate
    beside = direct.arrived if isinstance(direct, Audit) and direct.exchange.status == front.exchange.status else ()
    lost = [name for name in beside if name not in front.arrived]
    if lost:
        return _missing(lost, front, Verdict.FAIL, "though the API server itself sends them")
    if not front.arrived:
        return Finding(
            verdict=Verdict.SKIP,
            summary=f"asked with {REQUEST_HEADER}: true, this data plane sends no audit headers, or a hop drops them "
            "(only beside the API server itself, --backend URL, can that be told)",
        )
    absent = [name for name in NAMES if name not in front.arrived and name != RESOURCES]
    if absent:
        return _missing(absent, front, Verdict.WARN, f"while {', '.join(front.arrived)} came")
    long_too = ", also with up to 100 projects" if front.many is not None and not is_broken(front.many) else ""
    return Finding(
        verdict=Verdict.PASS, summary=f"{len(front.arrived)} audit headers arrive{long_too}: {', '.join(front.arrived)}"
    )


def resources_decode(front: Audit) -> Finding:
    """The claim of audit.resources-decode."""
    if front.lost is front.exchange:
        return Finding(verdict=Verdict.SKIP, summary=f"{in_words(front.exchange)} came instead", because=HEADERS_ARRIVE)
    gate = _gate(front)
    if gate is not None:
        return gate
    found = front.resources
    if found is None:
        return Finding(verdict=Verdict.SKIP, summary=f"the answer carries no {RESOURCES} header to decode")
    if not found.problem and not found.flat:
        types = ", ".join(dict.fromkeys(found.types)) or "none touched"
        return Finding(verdict=Verdict.PASS, summary=f"{RESOURCES} decodes to {len(found.types)} resources ({types})")
    why = found.problem or "it lacks the envelope with v and p: parse_audit_resources raises JSONDecodeError on it"
    return Finding(
        verdict=Verdict.FAIL if found.problem else Verdict.WARN,
        summary=f"{RESOURCES} on {front.exchange.label} cannot be read by SDKs: {why}",
        answer="SDKs cannot read the audit header that lists resources",
        hop=HopName.LOAD_BALANCER if "cut off" in why else HopName.API,
        owner=Owner.LOAD_BALANCER if "cut off" in why else Owner.API,
        expected=f'{{"v": {PROTOCOL}, "p": base64 of gzip of a JSON list}}',
        seen=why,
        evidence=(evidence.exchange(front.exchange),),
        remedy=Remedy(
            text="Compare with the API server's own answer: a header that is cut off needs a larger response header "
            "buffer at the hop that cuts it; another form needs an API server and an SDK of the same age."
        ),
        sources=SOURCES,
    )


def _gate(front: Audit) -> Finding | None:
    seen = front.exchange
    if seen.status == 429:
        return rate_limited(seen)
    if seen.key_withheld is not None:
        return Finding(verdict=Verdict.SKIP, summary=f"audit headers need the API key: {seen.key_withheld}")
    if seen.status in {401, 403}:
        return Finding(
            verdict=Verdict.SKIP, summary=f"the request is refused ({in_words(seen)})", because=KEY_IS_ACCEPTED
        )
    if seen.status is None or seen.status >= 300:
        return Finding(verdict=Verdict.SKIP, summary=f"there is no answer to look at: {in_words(seen)}")
    return None


def _too_long(front: Audit, seen: Exchange, direct: Audit | NotMeasured) -> Finding:
    """The answer is lost because of its audit headers: without them the same read is fine."""
    own = isinstance(direct, Audit) and is_broken(direct.exchange) and front.many is None
    many = " of up to 100 projects" if front.many is not None else ""
    fine = in_words(front.without) if front.without is not None else ""
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"a read{many} (GET {urlsplit(seen.url).path}) gives {in_words(seen)} when it asks for audit headers, "
        f"and {fine} when it does not: a buffer for response headers is too small for them",
        answer="Requests that ask for audit headers are lost: a response header buffer is too small",
        hop=HopName.API if own else HopName.LOAD_BALANCER,
        owner=Owner.API if own else Owner.LOAD_BALANCER,
        expected=f"{fine}, with audit headers as without",
        seen=in_words(seen),
        evidence=exchange_proofs(seen),
        remedy=Remedy(
            text="Give every hop a buffer of 32 KiB for response headers: the list of resources grows with the number "
            "of projects that a request touches.",
            snippets=first_for(sender(seen), _BUFFERS),
        ),
        sources=(*SOURCES, "https://github.com/kubernetes/ingress-nginx/issues/7946"),
    )


_BUFFERS = (
    Snippet(product="nginx", code="proxy_buffer_size 32k;\nproxy_buffers 8 32k;\nproxy_busy_buffers_size 64k;"),
    Snippet(product="Kubernetes Ingress", code='nginx.ingress.kubernetes.io/proxy-buffer-size: "32k"'),
    Snippet(product="HAProxy", code="global\n  tune.bufsize 65536"),
    Snippet(product="Caddy", code="transport http {\n  max_response_header 64KiB\n}"),
)


def _missing(names: Sequence[str], front: Audit, verdict: Verdict, contrast: str) -> Finding:
    told = ", ".join(names)
    what = "1 audit header does" if len(names) == 1 else f"{len(names)} audit headers do"
    return Finding(
        verdict=verdict,
        summary=f"{what} not arrive ({told}), {contrast}",
        answer="Audit headers are lost on their way: what was done by whom cannot be told",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected=f"{', '.join(NAMES)} on every answer to a request with {REQUEST_HEADER}: true",
        seen=f"only {', '.join(front.arrived)}" if front.arrived else "none of them",
        evidence=exchange_proofs(front.exchange),
        remedy=Remedy(
            text=f"Let every hop pass {PREFIX}* on in answers and {REQUEST_HEADER} in requests, and give it response "
            "header buffers of 16 KiB or more: the list of resources can be long.",
            snippets=first_for(sender(front.exchange), _BUFFERS),
        ),
        sources=SOURCES,
    )
