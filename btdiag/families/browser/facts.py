"""What a handshake as browsers make it comes to, and the lists by which browsers judge."""

from __future__ import annotations

from dataclasses import dataclass

from btdiag.core.exchange import Exchange, Failure

BAD_PORTS = frozenset(
    {
        *(1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95),
        *(101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179),
        *(389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587),
        *(601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 5060, 5061),
        *(6000, 6566, 6665, 6666, 6667, 6668, 6669, 6697, 10080),
    }
)
"""Ports to which browsers send no http request (the Fetch standard, section 2.11, "bad port"), but for 4190 and 6679,
which stand there and which Chromium 156 calls."""

SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA",
    "AES256-SHA",
)
"""The TLS 1.2 suites in Chromium 156's ClientHello, in its order, by OpenSSL's names. Firefox's and Safari's lists hold
some CBC suites with ECDSA too."""

CURVES = frozenset({"secp256r1", "secp384r1"})
"""Elliptic curves that Chromium takes in a certificate: of P-521, and of Ed25519, it says
ERR_SSL_VERSION_OR_CIPHER_MISMATCH (seen with Chromium 156)."""

PRELOADED = frozenset(
    {
        *("amazon", "android", "app", "audible", "azure", "bank", "bing", "boo", "channel"),
        *("chrome", "dad", "day", "dev", "eat", "esq", "fire", "fly", "foo"),
        *("gle", "gmail", "google", "hangout", "ing", "insurance", "kindle", "meet", "meme"),
        *("mov", "new", "nexus", "office", "page", "phd", "play", "prime", "prof"),
        *("rsvp", "search", "silk", "skype", "windows", "xbox", "youtube", "zappos", "zip"),
    }
)
"""Top-level domains all of whose hosts browsers call over https alone, without having been there: so Chromium 156 does
(https://hstspreload.org/)."""

CONNECTIONS = 6
"""Connections that a browser opens to one host over HTTP/1.1, for all its tabs together (seen with Chromium 156; the
HTML standard's notes on server-sent events warn of it)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrictTransport:
    """What an answer's Strict-Transport-Security asks for (RFC 6797 section 6.1); `age_s` is max-age."""

    age_s: int
    with_subdomains: bool


def strict_transport(answer: Exchange) -> StrictTransport | None:
    """Its first such header, as browsers read it; None without one, with a malformed one, or one that ends it."""
    value = next(iter(answer.header_values("strict-transport-security")), "")
    directives = [part.strip().partition("=") for part in value.lower().split(";")]
    named = {name.strip(): given.strip().strip('"') for name, _, given in directives}
    age = named.get("max-age", "")
    if not age.isdecimal() or int(age) == 0:
        return None
    return StrictTransport(age_s=int(age), with_subdomains="includesubdomains" in named)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserHandshake:
    """What became of a handshake that offers TLS 1.2 and 1.3, h2 and http/1.1, and the suites of a browser. `failure`
    is how it broke, else `version`, `cipher` and `alpn` are what was agreed on."""

    label: str
    version: str = ""
    cipher: str = ""
    alpn: str | None = None
    failure: Failure | None = None

    @property
    def ephemeral(self) -> bool:
        """The server signs with its key, as in all of TLS 1.3 and all suites but those of plain RSA."""
        return self.version == "TLSv1.3" or self.cipher.startswith("ECDHE-")

    @property
    def forbidden_for_http2(self) -> bool:
        """HTTP/2 was agreed on, with a suite that browsers refuse for it: no ephemeral keys, or no AEAD (RFC 9113
        section 9.2.2 and appendix A)."""
        aead = "GCM" in self.cipher or "CHACHA20" in self.cipher
        return self.alpn == "h2" and self.version != "TLSv1.3" and not (aead and self.ephemeral)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpsRecord:
    """One HTTPS record (RFC 9460). `target` is the name that it leads to, "." for the owner itself; `default_alpn`
    tells that http/1.1 may be spoken although it is not listed; `hints` are addresses; `ech` that it carries a key."""

    priority: int
    target: str = "."
    alpn: tuple[str, ...] = ()
    default_alpn: bool = True
    port: int | None = None
    hints: tuple[str, ...] = ()
    ech: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceRecords:
    """What a name server said to the question for a place's HTTPS records. `name` was asked for at `server`; `answered`
    tells that it said yes or no; `addresses` are those that the place has here."""

    what: str
    host: str
    port: int
    name: str
    server: str
    said: str
    answered: bool
    addresses: tuple[str, ...] = ()
    records: tuple[HttpsRecord, ...] = ()
