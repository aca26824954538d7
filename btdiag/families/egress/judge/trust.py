"""Is TLS opened on the way? Told from who issued the certificate, and from which trust stores here accept it.

An inspecting CA is in the system's store at best: Python packages with certificates of their own and Node.js, which
brings Mozilla's list, do not know it. An issuer that nobody knows may as well be a host's private CA.
"""

from __future__ import annotations

from collections.abc import Sequence

from btdiag.core import evidence
from btdiag.core.certificate_names import inspection_vendor, is_public_ca, short_name, speaks_for
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.handshake import Connection
from btdiag.core.stores import StoreTrial
from btdiag.families.connection.judge.diagnosis import EXPIRED, NOT_YET, top_of_chain
from btdiag.families.connection.judge.trust import chains
from btdiag.families.egress.facts import HostTrial

SOURCES = (
    "https://www.braintrust.dev/docs (SSL certificate verification behind a proxy)",
    "RFC 5280 section 6",
    "https://nodejs.org/api/tls.html#tlsrootcertificates",
    "https://requests.readthedocs.io/en/latest/user/advanced/#ca-certificates",
)


def interceptor(trial: HostTrial) -> str | None:
    """Who opens TLS to the host, as the end of "intercepted by ...": the product whose name is in the certificates,
    trusted or not; the proxy, where the same host shows a trusted certificate past it; or whoever shows a certificate
    for a hosted product's name that no public CA issued. None where nothing speaks for it."""
    names = [
        name
        for one in trial.connections
        if one.handshake
        for entry in one.handshake.chain
        for name in (entry.issuer, entry.subject)
    ]
    if vendor := inspection_vendor(*names):
        return f"what looks like {vendor} (issuer {issuer(trial)})"
    if _opened_by_proxy(trial):
        return f"the proxy {trial.proxy} (issuer {issuer(trial)}, while directly the certificate is trusted)"
    if trial.host.is_hosted and any(is_of_no_public_ca(one, trial) for one in trial.connections):
        return f"somebody unknown (issuer {issuer(trial)}, no public CA, as the host's own is)"
    return None


def _opened_by_proxy(trial: HostTrial) -> bool:
    distrusted = any(one.proxied and one.distrust is not None for one in trial.connections)
    other = trial.other
    return distrusted and other is not None and not other.proxied and other.tls and other.blocked_by is None


def is_of_no_public_ca(one: Connection, trial: HostTrial) -> bool:
    """Whether a connection shows a certificate for the host's name from a CA that is none of the public ones, as far as
    can be told: by its name, and by what Mozilla's list says where that was asked."""
    leaf = one.leaf
    if leaf is None or one.handshake is None or not speaks_for(leaf.names, trial.host.name):
        return False
    if one.distrust is not None and one.distrust.code in {EXPIRED, NOT_YET}:
        return False
    top = top_of_chain(one.handshake.chain)
    if is_public_ca(top.issuer) or leaf.issuer_url or _lacks_intermediate(one, trial):
        return False
    public = [store.accepts for store in trial.stores if store.public and store.accepts is not None]
    return not any(public) if public else one.distrust is not None


def _lacks_intermediate(one: Connection, trial: HostTrial) -> bool:
    """Whether the host sends its certificate alone, and the CA that issued it is one that others send along and that is
    trusted there: the host leaves its intermediate out."""
    chain = one.handshake.chain if one.handshake else ()
    return len(chain) == 1 and chain[0].issuer in trial.vouched


def trusted_authorities(trials: Sequence[HostTrial]) -> tuple[str, ...]:
    """The names of the CAs in the chains that this run trusts."""
    seen = [one for trial in trials for one in trial.connections if one.distrust is None and one.handshake is not None]
    return tuple(dict.fromkeys(entry.subject for one in seen if one.handshake for entry in one.handshake.chain[1:]))


def wants_stores(trial: HostTrial) -> bool:
    """Whether it is worth asking each trust store: the name is right, and the issuer is not known to be public."""
    return interceptor(trial) is not None or any(
        one.leaf is not None
        and one.handshake is not None
        and speaks_for(one.leaf.names, trial.host.name)
        and not is_public_ca(top_of_chain(one.handshake.chain).issuer)
        for one in trial.connections
    )


def is_doubtful(trial: HostTrial) -> bool:
    """Whether the certificate is for the host, of no public CA, and not trusted: inspection, or a private CA."""
    unknown = [one for one in trial.connections if one.distrust is not None]
    return interceptor(trial) is None and any(is_of_no_public_ca(one, trial) for one in unknown)


def issuer(trial: HostTrial) -> str:
    """Who issued the certificate that came first; "" without one."""
    return next((short_name(one.leaf.issuer) for one in trial.connections if one.leaf), "")


def acceptance(stores: Sequence[StoreTrial]) -> str:
    """ "accepted by A, not by B and C"; "" where no store was asked or answered."""
    accepting = [f"{store.store} ({store.source})" for store in stores if store.accepts]
    refusing = [f"{store.store} ({store.source})" for store in stores if store.accepts is False]
    if not accepting and not refusing:
        return ""
    if not accepting:
        return f"accepted by none of {', '.join(refusing)}"
    return f"accepted by {', '.join(accepting)}" + (f", not by {', '.join(refusing)}" if refusing else "")


def intercepted(
    trials: Sequence[HostTrial], untrusted: Sequence[HostTrial], *, severe: bool, names: str, who: str
) -> Finding:
    """The finding about hosts to which TLS is opened; `untrusted` are those that this run could not trust."""
    first = (list(untrusted) or list(trials))[0]
    at_proxy = bool(first.proxy)
    told = acceptance(first.stores)
    effect = "this machine does not trust it" if untrusted else "this machine trusts it"
    return Finding(
        verdict=Verdict.FAIL if severe else Verdict.WARN,
        summary=f"TLS to {names} is intercepted by {who}; {effect}" + (f": {told}" if told else ""),
        answer="TLS is opened on the way out, and this machine does not trust who does it"
        if untrusted
        else "TLS is opened on the way out; programs with CA stores of their own will refuse it",
        hop=HopName.PROXY if at_proxy else HopName.NETWORK,
        owner=Owner.PROXY if at_proxy else Owner.NETWORK,
        expected="the host's own certificate, from a public CA",
        seen=f"issuer {issuer(first)}",
        evidence=(*stores_by_host(trials), *_shown(trials)),
        remedy=Remedy(
            action="Exempt the hosts from TLS inspection, or give its CA to every program",
            text=f"Exempt {names} from TLS inspection; where that cannot be, give the inspecting CA, beside the public "
            "ones, to every program" + (f": {_lacking(first.stores)}" if _lacking(first.stores) else "."),
            snippets=(
                Snippet(
                    product="shell",
                    code="export SSL_CERT_FILE=/path/to/bundle.pem REQUESTS_CA_BUNDLE=/path/to/bundle.pem\n"
                    "export NODE_EXTRA_CA_CERTS=/path/to/inspecting-ca.pem",
                ),
                Snippet(product="Helm (chart 6.11.0 and later)", code="api:\n  customCA:\n    enabled: true"),
            ),
        ),
        sources=SOURCES,
    )


def issuers_doubted(trials: Sequence[HostTrial], names: str) -> Finding:
    """The finding about hosts whose issuer is neither public nor trusted: inspection, or a private CA?"""
    first = trials[0]
    return Finding(
        verdict=Verdict.INCONCLUSIVE,
        summary=f"{names} shows a certificate issued by {issuer(first)}, which is no public CA and not trusted here: "
        "TLS inspection, or the host's private CA; --ca FILE with the host's own CA tells which",
        hop=HopName.PROXY if first.proxy else HopName.NETWORK,
        owner=Owner.PROXY if first.proxy else Owner.NETWORK,
        expected="a certificate from a public CA, or from one that --ca names",
        seen=f"issuer {issuer(first)}",
        evidence=(*stores_by_host(trials), *_shown(trials)),
        remedy=Remedy(
            text=f"Ask the owner of {names} who issues its certificates. If it is not {issuer(first)}, something on "
            "the way opens TLS: have the host exempted there."
        ),
        sources=SOURCES,
    )


def stores_by_host(trials: Sequence[HostTrial]) -> tuple[Evidence, ...]:
    """Which trust store of this machine accepts whose certificate, where that was asked."""
    rows = [
        (trial.host.name, store.store, store.source, store.outcome, store.detail)
        for trial in trials
        for store in trial.stores
    ]
    headers = ("host", "trust store", "from", "outcome", "seen")
    return (evidence.table("Trust stores of this machine", headers, rows),) if rows else ()


def _lacking(stores: Sequence[StoreTrial]) -> str:
    refusing = [store.store for store in stores if store.accepts is False]
    return f"{', '.join(refusing)} lack{'s' if len(refusing) == 1 else ''} it." if refusing else ""


def _shown(trials: Sequence[HostTrial]) -> tuple[Evidence, ...]:
    return chains({f"{trial.host.name} {one.label}": one for trial in trials for one in trial.connections})
