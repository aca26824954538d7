"""Does the CA that the files declare verify the chain that is presented."""

from __future__ import annotations

from btdiag.config.stated import CUSTOM_CA
from btdiag.core import evidence
from btdiag.core.certificate_names import inspection_vendor, short_name
from btdiag.core.finding import Finding, HopName, Owner, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.target import Target
from btdiag.families.config.facts import DeclaredTrust
from btdiag.families.config.judge.shared import declared_settings, nothing, unmeasured
from btdiag.families.config.remedy import HELM, renew_ca

_NO_ISSUER = frozenset({2, 18, 19, 20, 21, 27})  # openssl-verification-options(1), X509_V_ERR_*
_SHOWN = 8


def declared_ca_is_presented(target: Target, seen: DeclaredTrust | NotMeasured) -> Finding:
    """Does the chain that the target presents lead to the CA that the files declare?"""
    settings = declared_settings(target, CUSTOM_CA)
    if not settings:
        return nothing(target, CUSTOM_CA)
    if isinstance(seen, NotMeasured):
        return unmeasured(seen)
    where = " and ".join(setting.where for setting in settings[:3])
    if seen.distrust is None:
        return Finding(verdict=Verdict.PASS, summary=f"the CA in {where} verifies the chain that {seen.label} presents")
    names = [name for one in seen.chain for name in (one.issuer, one.subject)]
    if vendor := inspection_vendor(*names):
        return Finding(
            verdict=Verdict.SKIP,
            summary=f"the chain that is met here looks like TLS inspection ({vendor}): it says nothing of the CA in"
            f" {where}",
        )
    if seen.distrust.code not in _NO_ISSUER or not seen.chain:
        return Finding(
            verdict=Verdict.SKIP,
            summary=f"the chain fails for another reason than its CA: {seen.distrust.message}",
            because="connection.tls-is-trusted",
        )
    return _another(where, seen)


def _another(where: str, seen: DeclaredTrust) -> Finding:
    top = short_name(seen.chain[-1].issuer)
    held = {one.subject for one in seen.declared}
    renewed = next((one for one in seen.chain if one.issuer in held), None)
    if renewed is not None:
        meaning = f"the file has a CA of the same name ({short_name(renewed.issuer)}) with another key: one of the two"
        meaning += " was renewed, and the other is not rolled out"
    else:
        meaning = "the bundle lacks it, or another load balancer answers"
    names = ", ".join(short_name(one.subject) for one in seen.declared[:_SHOWN])
    rows = [("declared", one.subject, one.sha256[:16]) for one in seen.declared[:_SHOWN]]
    rows += [("presented", f"{one.subject}, issued by {one.issuer}", one.sha256[:16]) for one in seen.chain]
    return Finding(
        verdict=Verdict.WARN,
        summary=f"the CA in {where} ({names or 'none that can be read'}) does not verify the chain that {seen.label}"
        f" presents, which leads to {top}: {meaning}",
        answer="Pods that trust the CA of the files refuse the certificate that this host presents",
        hop=HopName.TLS,
        owner=Owner.CERTIFICATES,
        expected=f"a chain that leads to {names}",
        seen=f"a chain that leads to {top} (OpenSSL: {seen.distrust.message if seen.distrust else ''})",
        evidence=(evidence.table("Certificates declared and presented", ("which", "name", "SHA-256"), rows),),
        remedy=renew_ca(where, top),
        sources=(HELM, "RFC 5280 section 6"),
    )
