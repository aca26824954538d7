"""Does the TLS handshake complete, and with which versions: what was seen, and no more than that proves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from btdiag.core import evidence
from btdiag.core.exchange import Failure, Phase, Trouble
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.handshake import Connection, TlsVersions, VersionTrial
from btdiag.core.hops import PROXY_LINE
from btdiag.core.packets import MTU_ADVICE, lost_on_the_way
from btdiag.core.target import Target
from btdiag.core.urls import bracketed
from btdiag.families.connection.judge.lax import is_refused_by_openssl, refused_by_openssl, whom_it_hurts
from btdiag.families.connection.judge.reach import (
    NO_TLS_RECORD,
    blocked,
    demands_certificate,
    every,
    phases,
    share_of,
)

MODERN = frozenset({"TLS 1.2", "TLS 1.3"})


def tls_handshake_completes(connections: Mapping[str, Connection], target: Target) -> Finding:
    """The claim of connection.tls-handshake-completes, over the addresses that take TCP connections.

    A certificate that is not trusted does not count here: the handshake itself then completes without verification.
    """
    wrong_scheme = [label for label, one in connections.items() if one.speaks_tls]
    if target.scheme == "http" and not wrong_scheme:
        return Finding(verdict=Verdict.SKIP, summary="the target is an http:// URL: no TLS is involved")
    if wrong_scheme:
        return _tls_on_http(wrong_scheme, target)
    reached = {label: one for label, one in connections.items() if one.broke_at not in {Phase.TCP, Phase.PROXY}}
    if not reached:
        return blocked(connections)
    broken = {label: one for label, one in reached.items() if one.broke_at is Phase.TLS}
    if not broken:
        return _handshakes(reached)
    if all(one.outdated for one in broken.values()):
        because = "connection.tls-versions-suffice"
        summary = f"only {next(iter(broken.values())).outdated} and older are taken"
        return Finding(verdict=Verdict.SKIP, summary=summary, because=because)
    return _handshake_fails(broken, reached, target)


def _handshakes(reached: Mapping[str, Connection]) -> Finding:
    agreed = [one.handshake for one in reached.values() if one.handshake]
    kinds = ", ".join(sorted({f"{each.version} with {each.cipher}" for each in agreed}))
    slowest = max((one.timing.tls_s or 0.0 for one in reached.values()), default=0.0)
    text = f"{every(list(reached))} completes the TLS handshake: {kinds}; the slowest in {1000 * slowest:.0f} ms"
    return Finding(verdict=Verdict.PASS, summary=text, evidence=(phases(reached),))


def _tls_on_http(labels: Sequence[str], target: Target) -> Finding:
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"the URL says http://, but port {target.port} speaks TLS ({', '.join(labels)})",
        answer="The URL says http://, and the port speaks TLS",
        hop=HopName.CONFIG,
        owner=Owner.CLIENT,
        expected="the scheme that the port speaks",
        seen="no HTTP answer, but a completed TLS handshake",
        remedy=Remedy(text=f"Use {target.url.replace('http://', 'https://', 1)} as the API URL."),
        sources=("RFC 9110 section 4.2",),
    )


def _handshake_fails(broken: Mapping[str, Connection], reached: Mapping[str, Connection], target: Target) -> Finding:
    one = next(one for one in broken.values() if not one.outdated)
    failure = one.trouble
    sentence, advice, owner = explain_handshake(one, target)
    share = "the TLS handshake" if len(reached) == 1 else f"the TLS handshake of {share_of(broken, reached)}"
    return Finding(
        verdict=Verdict.INCONCLUSIVE if failure and failure.trouble is Trouble.LOCAL else Verdict.FAIL,
        summary=f"{share} with {target.host} fails ({', '.join(broken)}): {sentence}",
        answer=_whom_it_hurts(one, len(broken), len(reached)),
        hop=HopName.NETWORK if _loses_packets(one) else HopName.TLS,
        owner=owner,
        expected="a completed TLS 1.2 or 1.3 handshake",
        seen="; ".join(f"{label}: {_said(each)}" for label, each in broken.items()),
        evidence=(phases(reached),),
        remedy=Remedy(
            text=advice, snippets=PROXY_LINE if one.after_proxy_line else (_s_client(next(iter(broken)), target),)
        ),
        sources=("RFC 8446 section 6", "RFC 8996"),
    )


def _loses_packets(one: Connection) -> bool:
    """Whether packets of the server's answer, which are as large as they can be, are lost on the way."""
    failure = one.trouble
    counted = failure is not None and failure.counters is not None and failure.counters.lost_down
    return one.small_packets or counted


def _whom_it_hurts(one: Connection, broken: int, of: int) -> str:
    """What follows, as far as the way in which it broke tells."""
    whom = "Nobody connects" if broken == of else f"Some connections fail ({broken} of {of} addresses)"
    failure = one.trouble
    if demands_certificate(one):
        return f"{whom}: the server demands a client certificate"
    if speaks_plain(one, failure):
        return f"{whom}: the port speaks plain HTTP, no TLS"
    if one.after_proxy_line:
        return f"{whom}: the load balancer expects the PROXY protocol"
    if _loses_packets(one):
        return f"{whom} from here: large packets are lost on the way"
    if is_refused_by_openssl(one):
        return whom_it_hurts(failure.detail if failure else "")
    return f"{whom} from here: the TLS handshake breaks off"


def _said(one: Connection) -> str:
    failure = one.trouble
    again = f"; without a server name: {one.without_sni}" if one.without_sni else ""
    return (failure.detail if failure else "no failure") + again


def _s_client(label: str, target: Target) -> Snippet:
    place = target.host if not label[:1].isdigit() and ":" not in label else label
    code = f"openssl s_client -connect {bracketed(place)}:{target.port} -servername {target.host} </dev/null"
    return Snippet(product="shell", code=code)


def explain_handshake(one: Connection, target: Target) -> tuple[str, str, str]:
    """Sentence, advice and owner for a handshake that broke: what was seen, and no more than that proves."""
    failure = one.trouble
    trouble = failure.trouble if failure else None
    detail = failure.detail if failure else ""
    if demands_certificate(one):
        return _client_certificate(detail, target)
    if speaks_plain(one, failure):
        return (
            f"the port speaks plain HTTP (a request without TLS got status {one.plain_status})",
            "Let the load balancer terminate TLS on this port (listener protocol HTTPS, certificate bound), or "
            "correct scheme and port of the URL.",
            Owner.LOAD_BALANCER,
        )
    if one.after_proxy_line:
        return (
            f"the other side ends the connection after the ClientHello ({detail}), and completes the handshake after a "
            "line of the PROXY protocol, which no client sends",
            "Let the hop in front (a network load balancer) send the PROXY protocol, or let the load balancer expect "
            "none: both or neither.",
            Owner.LOAD_BALANCER,
        )
    if one.lax is not None and is_refused_by_openssl(one) and one.without_sni != "succeeded":
        return refused_by_openssl(detail, one.lax)
    if one.without_sni == "succeeded":
        return (
            f'it ends with "{detail}" when the server name {target.host} is sent, and succeeds without a server name',
            f"Something decides by the name (SNI): a filter on the way that blocks {target.host}, or a load balancer "
            "without a certificate for it. Compare from a network without the filter.",
            Owner.NETWORK,
        )
    if _loses_packets(one):
        proof = "with small packets it completes" if one.small_packets else lost_on_the_way(failure)
        return f"large packets are lost on the way: nothing comes ({detail}), and {proof}", MTU_ADVICE, Owner.NETWORK
    return _by_trouble(Trouble.ALERT if is_alert(failure) else trouble, detail)


def _client_certificate(detail: str, target: Target) -> tuple[str, str, str]:
    if target.client_cert is not None:
        return (
            f"the server refuses the client certificate {target.client_cert} ({detail})",
            "Show a certificate from the CA that the load balancer trusts for clients, and one that has not expired.",
            Owner.CLIENT,
        )
    return (
        f"the server demands a client certificate ({detail})",
        "Give one with --client-cert and --client-key. Browsers and SDKs that have none configured cannot connect: "
        "mutual TLS must be off, or optional, on the listener that they use.",
        Owner.LOAD_BALANCER,
    )


def speaks_plain(one: Connection, failure: Failure | None) -> bool:
    """nginx answers plain HTTP on a TLS port with 400, so that this status proves something only where what came back
    in the handshake was no TLS record at all."""
    if one.plain_status is None:
        return False
    return one.plain_status != 400 or (failure is not None and failure.detail in NO_TLS_RECORD)


def is_alert(failure: Failure | None) -> bool:
    """OpenSSL names the alerts it receives TLSV1_..., TLSV13_... and SSLV3_ALERT_..., not all of them with ALERT."""
    if failure is None:
        return False
    return failure.trouble is Trouble.ALERT or failure.detail.startswith(("TLSV1_", "TLSV13_", "SSLV3_ALERT_"))


def _by_trouble(trouble: Trouble | None, detail: str) -> tuple[str, str, str]:
    if trouble in {Trouble.RESET, Trouble.CLOSED}:
        return (
            f"the other side ends the connection after the ClientHello ({detail})",
            "Read the load balancer's error log for this time and compare from another network: either it has no "
            "usable certificate or listener behind this address, or a filter on the way cuts TLS.",
            Owner.LOAD_BALANCER,
        )
    if trouble is Trouble.TIMEOUT:
        return (
            f"nothing comes after the ClientHello ({detail})",
            "Look at the load balancer first (overloaded, wedged, another protocol on this port), then at the way: a "
            "filter that swallows the ClientHello, or a path that loses large packets (MTU).",
            Owner.NETWORK,
        )
    if trouble is Trouble.ALERT:
        return (
            f"the server sends the TLS alert {detail}",
            "Read the load balancer's TLS settings and error log: it has read the ClientHello and refuses it, for "
            "want of a certificate for this name (unrecognized name) or of a common version or cipher (protocol "
            "version, handshake failure).",
            Owner.LOAD_BALANCER,
        )
    if trouble is Trouble.LOCAL:
        return (
            f"this machine could not do it ({detail})",
            "Look at the files given with --ca and --client-cert, and at this machine's limits.",
            Owner.CLIENT,
        )
    return (
        f"what comes back is no TLS ({detail})",
        "Correct the port in the URL, or the listener's protocol: another one answers on this port.",
        Owner.LOAD_BALANCER,
    )


def tls_versions_suffice(versions: TlsVersions) -> Finding:
    """The claim of connection.tls-versions-suffice: TLS 1.2 or 1.3 is taken, 1.0 and 1.1 are not (RFC 8996).

    Only 1.3 is CloudFront's strictest policy and fine for every supported client, so it is but noted.
    """
    if not versions.accepted:
        because = "connection.tls-handshake-completes"
        return Finding(verdict=Verdict.SKIP, summary="no version is taken", because=because)
    old = [version for version in versions.accepted if version not in MODERN]
    taken = f"{versions.label} takes {', '.join(versions.accepted)}"
    if old:
        return _old_versions(versions, taken, old)
    untried = [trial.version for trial in versions.trials if trial.accepted is None]
    note = "; clients that know no more than TLS 1.2 cannot connect" if "TLS 1.2" in versions.refused else ""
    note += f"; could not be tried from here: {', '.join(untried)}" if untried else ""
    return Finding(verdict=Verdict.PASS, summary=taken + note, evidence=(trials(versions),))


def _old_versions(versions: TlsVersions, taken: str, old: Sequence[str]) -> Finding:
    alone = not MODERN & set(versions.accepted)
    risk = (
        "and nothing newer, which clients of today refuse (Chrome: net::ERR_SSL_VERSION_OR_CIPHER_MISMATCH)"
        if alone
        else f"though {' and '.join(old)} are deprecated"
    )
    advice = (
        "Let the load balancer take TLS 1.2 and 1.3" if alone else "Switch off TLS 1.0 and 1.1 on the load balancer"
    )
    return Finding(
        verdict=Verdict.FAIL if alone else Verdict.WARN,
        summary=f"{taken}, {risk}",
        answer="Clients of today cannot connect: the server speaks old TLS versions only"
        if alone
        else f"{' and '.join(old)} {'is' if len(old) == 1 else 'are'} still on, and deprecated",
        hop=HopName.TLS,
        owner=Owner.LOAD_BALANCER,
        expected="TLS 1.2 and TLS 1.3, nothing older",
        seen="; ".join(f"{trial.version}: {_trial(trial)}" for trial in versions.trials),
        evidence=(trials(versions),),
        remedy=Remedy(text=f"{advice}: choose a TLS policy of today.", snippets=_VERSION_SNIPPETS),
        sources=("RFC 8996", "RFC 9325 section 3.1.1"),
    )


_VERSION_SNIPPETS = (
    Snippet(product="nginx", code="ssl_protocols TLSv1.2 TLSv1.3;"),
    Snippet(product="HAProxy", code="ssl-default-bind-options ssl-min-ver TLSv1.2"),
    Snippet(product="AWS ALB", code="SslPolicy: ELBSecurityPolicy-TLS13-1-2-2021-06"),
    Snippet(product="Terraform", code='cloudfront_minimum_protocol_version = "TLSv1.2_2021"'),
)


def trials(versions: TlsVersions) -> Evidence:
    """Which TLS version was tried, and what came of it."""
    rows = [(trial.version, _trial(trial), trial.detail) for trial in versions.trials]
    return evidence.table(f"TLS versions at {versions.label}", ("version", "result", "detail"), rows)


def _trial(trial: VersionTrial) -> str:
    return {True: "accepted", False: "refused", None: "not known"}[trial.accepted]
