"""Who a name in a certificate belongs to, as far as a name can tell: inspection products, public CAs, default ones."""

from __future__ import annotations

import re
from collections.abc import Iterable

_VENDORS = {
    "Zscaler": r"zscaler",
    "Netskope": r"netskope|goskope",
    "Palo Alto Networks": r"palo ?alto|globalprotect",
    "Fortinet": r"fortinet|forti(gate|guard|client)",
    "Cisco Umbrella": r"umbrella|opendns",
    "Cisco": r"cisco (web|secure|iron)|ironport",
    "Blue Coat / Symantec": r"blue ?coat|symantec (web|proxy)",
    "McAfee / Skyhigh": r"mcafee|skyhigh|trellix",
    "Sophos": r"sophos|cyberoam",
    "Check Point": r"check ?point",
    "Forcepoint": r"forcepoint|websense",
    "Barracuda": r"barracuda",
    "WatchGuard": r"watchguard|fireware",
    "SonicWall": r"sonicwall",
    "iboss": r"\biboss\b",
    "Smoothwall": r"smoothwall",
    "Untangle": r"untangle",
    "Menlo Security": r"menlo security",
    "Cloudflare Gateway": r"cloudflare (for teams|gateway|managed)|gateway ca - cloudflare",
    "Trend Micro": r"trend ?micro|interscan",
    "mitmproxy": r"mitmproxy",
    "Charles": r"charles proxy",
    "Fiddler": r"fiddler",
    "Burp Suite": r"portswigger",
    "OWASP ZAP": r"owasp|\bzap\b",
    "Kaspersky": r"kaspersky",
    "ESET": r"\beset\b",
    "Avast / AVG": r"avast|\bavg\b",
    "Bitdefender": r"bitdefender",
    "Norton": r"norton (web|security)",
    "Squid": r"\bsquid\b",
}
_VENDOR_PATTERNS = {vendor: re.compile(pattern, re.IGNORECASE) for vendor, pattern in _VENDORS.items()}

# Operators of roots in the Mozilla programme whose certificates data planes commonly carry.
_PUBLIC = re.compile(
    r"let's encrypt|internet security research group|digicert|amazon|google trust services|sectigo|comodo|usertrust"
    r"|globalsign|godaddy|starfield|entrust|geotrust|thawte|rapidssl|zerossl|ssl corp|buypass|certum|actalis|harica"
    r"|identrust|swisssign|quovadis|microsoft (azure|corporation|tls|rsa|ecc)|trustasia|cloudflare,? inc",
    re.IGNORECASE,
)

_DEFAULTS = (
    (re.compile(r"kubernetes ingress controller fake certificate", re.IGNORECASE), "the default of ingress-nginx"),
    (re.compile(r"traefik default cert", re.IGNORECASE), "the default of Traefik"),
    (re.compile(r"\.elb\.amazonaws\.com$|\.cloudfront\.net$", re.IGNORECASE), "AWS's own name for the load balancer"),
    (re.compile(r"\.azure(fd|edge)\.net$", re.IGNORECASE), "the default of Azure Front Door"),
    (re.compile(r"localhost|snakeoil", re.IGNORECASE), "a placeholder certificate"),
)


def inspection_vendor(*names: str) -> str | None:
    """The TLS inspecting product that one of the names reads like; None for all others. A likeness, no proof."""
    for vendor, pattern in _VENDOR_PATTERNS.items():
        if any(pattern.search(name) for name in names):
            return vendor
    return None


def is_public_ca(name: str) -> bool:
    """Whether the name reads like a CA that operating systems and browsers trust. A likeness, no proof."""
    return _PUBLIC.search(name) is not None


def speaks_for(names: Iterable[str], host: str) -> bool:
    """Whether a certificate with these names is for the host (RFC 9525 section 6.3: `*` stands for one whole label)."""
    _, _, parent = host.lower().partition(".")
    return any(name.lower() in {host.lower(), f"*.{parent}" if parent else host.lower()} for name in names)


def default_certificate(subject: str, names: Iterable[str]) -> str | None:
    """What a certificate is that a product shows while none is configured for the requested name."""
    every = (subject, *names)
    return next((what for pattern, what in _DEFAULTS if any(pattern.search(name) for name in every)), None)


def placeholder_of(subject: str, names: Iterable[str]) -> str:
    """The ingress controller whose placeholder certificate this is, "" for all others. It is shown while no secret is
    configured for the name, and nobody shall trust it (https://github.com/kubernetes/ingress-nginx/issues/4979)."""
    what = default_certificate(subject, names) or ""
    return next((product for product in ("ingress-nginx", "Traefik") if what == f"the default of {product}"), "")


def short_name(name: str) -> str:
    """The common name of an RFC 4514 name with its organisation if it has one; the whole name without a common name."""
    parts = dict(reversed([part.split("=", 1) for part in re.split(r"(?<!\\),", name) if "=" in part]))
    common, organisation = parts.get("CN"), parts.get("O")
    if common is None:
        return name or "an empty name"
    plain = common.replace("\\", "")
    return f"{plain} ({organisation})".replace("\\", "") if organisation and organisation not in common else plain
