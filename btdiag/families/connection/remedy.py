"""What to change when a certificate is not trusted: the sentence, and the configuration to copy."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

from btdiag.core.certificate_names import placeholder_of, short_name
from btdiag.core.finding import Remedy, Snippet
from btdiag.core.handshake import Certificate
from btdiag.core.target import Target
from btdiag.core.urls import bracketed

Advice: TypeAlias = tuple[str, tuple[Snippet, ...]]


class TrustCause(StrEnum):
    """What is wrong with a certificate, or with who looks at it."""

    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"
    WRONG_CLOCK = "clocks disagree"
    WRONG_NAME = "wrong name"
    PLACEHOLDER = "placeholder of an ingress controller"
    SELF_SIGNED = "self-signed"
    MISSING_INTERMEDIATE = "missing intermediate"
    INSPECTED = "inspected"
    UNKNOWN_CA = "unknown CA"
    OLD_STORE = "public CA unknown here"
    WEAK = "too weak"
    CONSTRAINED = "outside of what its CA may issue for"
    OTHER = "not trusted"


_TRUST_CA = (
    Snippet(product="Python SDK, httpx", code="export SSL_CERT_FILE=/path/to/ca-bundle.pem"),
    Snippet(product="Python requests", code="export REQUESTS_CA_BUNDLE=/path/to/ca-bundle.pem"),
    Snippet(product="Node SDK", code="export NODE_EXTRA_CA_CERTS=/path/to/ca.pem"),
)
_FULL_CHAIN = (
    Snippet(
        product="nginx",
        code="# server certificate first, then the intermediates\n"
        "cat server.pem intermediate.pem > fullchain.pem\nssl_certificate /etc/nginx/tls/fullchain.pem;",
    ),
    Snippet(
        product="AWS ACM (ALB)",
        code="aws acm import-certificate --certificate-arn ARN --certificate fileb://server.pem \\\n"
        "  --private-key fileb://key.pem --certificate-chain fileb://intermediate.pem",
    ),
    Snippet(product="Kubernetes", code="kubectl create secret tls NAME --cert=fullchain.pem --key=key.pem"),
)


ANSWERS = {
    TrustCause.EXPIRED: "No client can connect safely: the certificate has expired",
    TrustCause.NOT_YET_VALID: "No client can connect safely yet: the certificate is not valid before a later date",
    TrustCause.WRONG_CLOCK: "This machine cannot connect safely: its clock and the server's disagree",
    TrustCause.WRONG_NAME: "No client can connect safely: the certificate is for another name",
    TrustCause.PLACEHOLDER: "No client can connect safely: the ingress shows its placeholder certificate",
    TrustCause.SELF_SIGNED: "Clients refuse to connect: the certificate is self-signed",
    TrustCause.MISSING_INTERMEDIATE: "SDKs refuse to connect: the server leaves an intermediate certificate out",
    TrustCause.INSPECTED: "SDKs refuse to connect from here: something on the way opens TLS",
    TrustCause.UNKNOWN_CA: "Clients that do not know the issuing CA refuse to connect",
    TrustCause.OLD_STORE: "This machine refuses to connect: it does not know the public CA",
    TrustCause.WEAK: "Clients refuse to connect: the certificate's key or signature is too weak",
    TrustCause.CONSTRAINED: "Clients refuse to connect: the certificate's CA may not issue for this name",
    TrustCause.OTHER: "Clients refuse to connect: the certificate cannot be verified",
}
"""What an untrusted certificate means for users, by its cause."""

_ACTIONS = {
    TrustCause.EXPIRED: "Renew the certificate on the load balancer, and find out why it was not renewed by itself",
    TrustCause.NOT_YET_VALID: "Put the previous certificate back until the new one is valid, or have it issued again",
    TrustCause.WRONG_CLOCK: "Correct this machine's clock; if it is right, correct the server's",
    TrustCause.WRONG_NAME: "Bind a certificate for the host in the API URL to the load balancer, or correct the URL",
    TrustCause.PLACEHOLDER: "Give the ingress controller a certificate for the host: a secret in the tls entry",
    TrustCause.SELF_SIGNED: "Install a certificate from a CA that browsers trust",
    TrustCause.MISSING_INTERMEDIATE: "Let the load balancer send the intermediate after its own certificate",
    TrustCause.INSPECTED: "Exempt the host from TLS inspection, or give the inspecting CA to every client",
    TrustCause.UNKNOWN_CA: "Let clients trust the private CA, or use a certificate of a public one",
    TrustCause.OLD_STORE: "Update this machine's CA store, or leave --ca and SSL_CERT_FILE out",
    TrustCause.WEAK: "Have the certificate issued again with a key and signature of today",
    TrustCause.CONSTRAINED: "Have the certificate issued by a CA that may issue for the host, or widen its constraints",
    TrustCause.OTHER: "Replace the certificate by one that OpenSSL verifies",
}


def remedy_for(cause: TrustCause, certificate: Certificate | None, target: Target) -> Remedy:
    """The remedy for a cause with the real names filled in."""
    text, snippets = _REMEDIES[cause](certificate, target)
    return Remedy(text=text, snippets=(*snippets, _look(target)), action=_ACTIONS[cause])


def _look(target: Target) -> Snippet:
    place = f"{bracketed(target.host)}:{target.port}"
    code = f"openssl s_client -connect {place} -servername {target.host} -showcerts </dev/null"
    return Snippet(product="shell", code=code)


def _renew(certificate: Certificate | None, target: Target) -> Advice:
    subject = short_name(certificate.subject) if certificate else target.host
    return (
        f"Renew the certificate {subject} on the load balancer and find out why it was not renewed by itself; after a "
        "renewal the load balancer must load the new one.",
        (
            Snippet(product="cert-manager", code="kubectl get certificates -A\ncmctl renew NAME -n NAMESPACE"),
            Snippet(product="nginx", code="certbot renew && nginx -s reload"),
            Snippet(
                product="AWS ACM",
                code="aws acm describe-certificate --certificate-arn ARN --query Certificate.RenewalSummary",
            ),
        ),
    )


def _not_yet(certificate: Certificate | None, target: Target) -> Advice:
    return (
        "Put the previous certificate back until the new one is valid, or have it issued again; check the clock of "
        "the machine that issued it.",
        (),
    )


def _clock(certificate: Certificate | None, target: Target) -> Advice:
    return (
        "Correct this machine's clock; if it agrees with a time server, the server's clock is wrong and its "
        "certificate is out of its validity indeed.",
        (Snippet(product="shell", code="timedatectl status\nsudo timedatectl set-ntp true"),),
    )


def _name(certificate: Certificate | None, target: Target) -> Advice:
    return (
        f"Give the load balancer a certificate that contains {target.host}, and bind it to that name (SNI); or use a "
        "host in the API URL that the certificate has.",
        (
            Snippet(product="cert-manager", code=f"spec:\n  dnsNames:\n    - {target.host}"),
            Snippet(product="Kubernetes Ingress", code=f"tls:\n  - hosts: [{target.host}]\n    secretName: NAME"),
            Snippet(
                product="AWS ALB",
                code="aws elbv2 add-listener-certificates --listener-arn ARN --certificates CertificateArn=ARN",
            ),
        ),
    )


def _placeholder(certificate: Certificate | None, target: Target) -> Advice:
    if certificate is not None and placeholder_of(certificate.subject, certificate.names) == "Traefik":
        return (
            f"Give Traefik a certificate for {target.host}: a secret in the tls entry of its Ingress or IngressRoute, "
            "or a certificate resolver on its router. Do not let clients trust the placeholder.",
            (Snippet(product="Kubernetes Ingress", code=f"tls:\n  - hosts: [{target.host}]\n    secretName: NAME"),),
        )
    return (
        f"Name {target.host} and a secret that exists in the Ingress's tls entry, in the Ingress's own namespace: the "
        "controller shows its placeholder while the host is not listed there, or the secret is missing or unreadable. "
        "Do not let clients trust the placeholder.",
        (
            Snippet(product="Kubernetes Ingress", code=f"tls:\n  - hosts: [{target.host}]\n    secretName: NAME"),
            Snippet(
                product="shell",
                code="kubectl get ingress -A -o wide\nkubectl -n NAMESPACE describe ingress NAME\n"
                "kubectl -n NAMESPACE get secret NAME -o jsonpath='{.type}'",
            ),
        ),
    )


def _self_signed(certificate: Certificate | None, target: Target) -> Advice:
    return (
        f"Install a certificate for {target.host} from a CA that browsers trust; for SDKs alone it is enough to let "
        "them trust this certificate.",
        _TRUST_CA,
    )


def _intermediate(certificate: Certificate | None, target: Target) -> Advice:
    issuer = short_name(certificate.issuer) if certificate else "the issuer"
    where = f" (to be had from {certificate.issuer_url})" if certificate and certificate.issuer_url else ""
    return (
        f"Let the load balancer send the intermediate {issuer}{where} after its own certificate. Browsers often fetch "
        f"or remember it and so hide the fault; SDKs and curl do not. If {issuer} is a private root instead, clients "
        "must be given that root.",
        _FULL_CHAIN,
    )


def _inspection(certificate: Certificate | None, target: Target) -> Advice:
    issuer = short_name(certificate.issuer) if certificate else "the inspecting CA"
    return (
        f"Exempt {target.host} from TLS inspection, or let clients trust the inspecting CA {issuer}: the network or "
        "security team has its file.",
        _TRUST_CA,
    )


def _unknown_ca(certificate: Certificate | None, target: Target) -> Advice:
    issuer = short_name(certificate.issuer) if certificate else "the issuer"
    here = f" Only the CAs in {target.ca_file} were trusted in this run." if target.ca_file else ""
    return (
        f"If {issuer} is the private CA of the data plane, let clients trust it (browsers: through the operating "
        "system), or use a certificate of a public CA; if nobody knows it, something on the way opens the connection "
        f"(TLS inspection).{here}",
        (*_TRUST_CA, Snippet(product="btdiag", code=f"btdiag run --target {target.url} --ca /path/to/ca.pem")),
    )


def _store(certificate: Certificate | None, target: Target) -> Advice:
    here = (
        f"The CAs in {target.ca_file} replaced the system's store in this run: leave --ca and SSL_CERT_FILE out."
        if target.ca_file
        else "This machine's CA store is old or incomplete: update it."
    )
    return here, (Snippet(product="Debian", code="apt-get install --only-upgrade ca-certificates"),)


def _weak(certificate: Certificate | None, target: Target) -> Advice:
    return (
        f"Have the certificate of {target.host} issued again with a key and signature of today: RSA of 2048 bits or "
        "more, or ECDSA P-256, signed with SHA-256.",
        (),
    )


def _constrained(certificate: Certificate | None, target: Target) -> Advice:
    return (
        f"Have the certificate of {target.host} issued by a CA whose name constraints take the name in, or have the "
        "constrained CA's own certificate issued again with the name among its permitted ones.",
        (),
    )


def _other(certificate: Certificate | None, target: Target) -> Advice:
    return f"Replace the certificate of {target.host} by one that OpenSSL verifies; the command shows what is sent.", ()


_REMEDIES: dict[TrustCause, Callable[[Certificate | None, Target], Advice]] = {
    TrustCause.EXPIRED: _renew,
    TrustCause.NOT_YET_VALID: _not_yet,
    TrustCause.WRONG_CLOCK: _clock,
    TrustCause.WRONG_NAME: _name,
    TrustCause.PLACEHOLDER: _placeholder,
    TrustCause.SELF_SIGNED: _self_signed,
    TrustCause.MISSING_INTERMEDIATE: _intermediate,
    TrustCause.INSPECTED: _inspection,
    TrustCause.UNKNOWN_CA: _unknown_ca,
    TrustCause.OLD_STORE: _store,
    TrustCause.WEAK: _weak,
    TrustCause.CONSTRAINED: _constrained,
    TrustCause.OTHER: _other,
}
