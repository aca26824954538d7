"""What a browser's error code means, at which hop it arises, who can change it, and how. A table, pure.

Codes and their meanings: Chromium's net/base/net_error_list.h and its CorsError and BlockedReason
(https://chromedevtools.github.io/devtools-protocol/tot/Network/). An unknown code is a failure under its own name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from btdiag.core.finding import HopName, Owner, Snippet

SOURCES = (
    "https://chromium.googlesource.com/chromium/src/+/main/net/base/net_error_list.h",
    "https://fetch.spec.whatwg.org/#fetching",
)
SCHEME, PORT, CERTIFICATE = "browser.scheme-is-secure", "browser.port-is-allowed", "browser.certificate-is-accepted"
LARGE_HELLO = "clients.handshake-is-not-too-large"
RECORD = "browser.https-record-agrees"
_HANDSHAKE = ("connection.tls-handshake-completes", "connection.tls-versions-suffice", CERTIFICATE)
_TRUST = ("connection.tls-is-trusted", CERTIFICATE)
_TCP = ("connection.tcp-connects", "dns.addresses-are-usable")
_ANSWERS = (
    "readiness.root-answers",
    "readiness.every-address-agrees",
    "readiness.answers-steadily",
    "readiness.api-speaks-json",
    "readiness.api-stays-up",
    "gateway.routes-reach-their-backend",
    "gateway.accepts-product-requests",
    "gateway.http2-works-where-offered",
)
_CORS = (
    "cors.web-app-may-call",
    "cors.errors-are-readable",
    "cors.headers-not-doubled",
    "cors.caches-keep-origins-apart",
    "gateway.preserves-headers",
    *_ANSWERS,
)


class Weight(StrEnum):
    """How much a code says of the place that was called."""

    FAILS = "fails"
    ASKS = "asks"  # users are asked, or it is a matter of a permission: the family lna is about it
    UNKNOWN = "unknown"  # this machine's own trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeMeaning:
    """What a code means. `short` ends "The web app cannot call X: ..."; `meaning` is the sentence of proof; `text` is
    for whoever owns it, `action` the same in short, `users` and `administrators` what these can do until then. `unless`
    are the checks whose failure explains it."""

    short: str
    meaning: str
    hop: HopName
    owner: Owner
    text: str
    action: str
    users: str = ""
    administrators: str = ""
    unless: tuple[str, ...] = ()
    snippets: tuple[Snippet, ...] = ()
    weight: Weight = Weight.FAILS


def _cause(
    short: str,
    meaning: str,
    at: tuple[HopName, Owner],
    change: tuple[str, str],
    *,
    users: str = "",
    administrators: str = "",
    unless: tuple[str, ...] = (),
    snippets: tuple[Snippet, ...] = (),
    weight: Weight = Weight.FAILS,
) -> CodeMeaning:
    return CodeMeaning(
        short=short,
        meaning=meaning,
        hop=at[0],
        owner=at[1],
        action=change[0],
        text=change[1] or change[0],
        users=users,
        administrators=administrators,
        unless=unless,
        snippets=snippets,
        weight=weight,
    )


_DNS = (HopName.DNS, Owner.DNS)
_NET = (HopName.NETWORK, Owner.NETWORK)
_TLS = (HopName.TLS, Owner.LOAD_BALANCER)
_PAPER = (HopName.TLS, Owner.CERTIFICATES)
_FRONT = (HopName.LOAD_BALANCER, Owner.LOAD_BALANCER)
_WAY = (HopName.PROXY, Owner.BROWSER)
_HERE = (HopName.BROWSER, Owner.BROWSER)
_CLIENT = (HopName.CLIENT, Owner.CLIENT)

_PROXY_LETS = ("connection.proxy-lets-through",)
_ALLOW_CONNECT = (
    "Have the proxy let CONNECT to {host}:{port} through, or take the host out in the browser's proxy policy",
    "Have the proxy let CONNECT to {host}:{port} through, or name {host} in ProxyBypassList of the policy that sets "
    "the proxy (chrome://policy shows it), if browsers reach it directly.",
)
_BYPASS = (
    Snippet(
        product="Linux: /etc/opt/chrome/policies/managed/proxy.json",
        code='{"ProxySettings": {"ProxyMode": "fixed_servers", "ProxyServer": "PROXY:3128", '
        '"ProxyBypassList": "{host}"}}',
    ),
)
_NEW = "Issue a new certificate that browsers take: RSA 2048 or EC P-256, SHA-256, its host in subjectAltName"
_SUITES = (
    Snippet(product="nginx", code="ssl_protocols TLSv1.2 TLSv1.3;\nssl_ecdh_curve X25519:prime256v1:secp384r1;"),
    Snippet(
        product="HAProxy", code="ssl-default-bind-options ssl-min-ver TLSv1.2\nssl-default-bind-curves X25519:P-256"
    ),
)

CODES: Mapping[str, CodeMeaning] = {
    # --- names --------------------------------------------------------------------------------------------------------
    "ERR_NAME_NOT_RESOLVED": _cause(
        "browsers do not find its name",
        "the browser's resolver gives no address for {host}",
        _DNS,
        (
            "Publish an address for {host} where browsers ask: compare the browser's resolver with this machine's",
            "Publish an address for {host} with the name servers that browsers ask. Chrome may ask others than this "
            "machine's programs do (chrome://settings/security, secure DNS; policy DnsOverHttpsMode).",
        ),
        administrators="set DnsOverHttpsMode to off, or DnsOverHttpsTemplates to a resolver that knows the name.",
        unless=("dns.resolves", "dns.resolvers-agree"),
    ),
    "ERR_DNS_NO_MATCHING_SUPPORTED_ALPN": _cause(
        "its HTTPS record names no protocol of browsers",
        "the HTTPS record (type 65) of {host} lists no protocol that the browser supports",
        _DNS,
        ("Correct alpn in the HTTPS record of {host} to what the load balancer offers (h2), or remove the record", ""),
        unless=(RECORD,),
    ),
    "ERR_ECH_": _cause(
        "its HTTPS record promises ECH, which fails",
        "the HTTPS record of {host} carries a key for Encrypted ClientHello (ECH), and the server does not have it; "
        "programs do not read that record",
        _DNS,
        (
            "Remove ech from the HTTPS record of {host}, or serve its keys where TLS ends",
            "Remove ech from the HTTPS record of {host}: a CDN that was in front before may have left it there. Or "
            "serve its keys where TLS ends.",
        ),
        unless=(RECORD,),
    ),
    "ERR_ICANN_NAME_COLLISION": _cause(
        "its name collides with a public one",
        "the name leads to 127.0.53.53, the mark of a name collision",
        _DNS,
        ("Give the data plane a name in a domain of your own", ""),
        unless=("dns.addresses-are-usable",),
    ),
    # --- ports, addresses, connections --------------------------------------------------------------------------------
    "ERR_UNSAFE_PORT": _cause(
        "browsers refuse its port",
        "browsers send nothing to port {port}, for another protocol has it",
        _FRONT,
        ("Move the listener of {host} to 443", ""),
        unless=(PORT,),
    ),
    "ERR_CONNECTION_REFUSED": _cause(
        "the connection is refused",
        "the address that the browser used refuses connections on port {port}",
        _NET,
        (
            "Start a listener for {host} on port {port} at every address that its name has",
            "Start a listener for {host} on port {port} at every address that its name has, IPv6 and those of an HTTPS "
            "record included, or remove the address.",
        ),
        unless=(*_TCP, RECORD),
    ),
    "ERR_CONNECTION_TIMED_OUT": _cause(
        "nobody answers the connection",
        "the address that the browser used does not answer",
        _NET,
        ("Open the way from browsers to {host}:{port} (firewall, route, VPN), or remove the dead address", ""),
        unless=(*_TCP, RECORD),
    ),
    "ERR_ADDRESS_": _cause(
        "there is no way to its address",
        "the browser found no way to the address of {host}",
        _NET,
        ("Correct the address of {host}, or the route to it", ""),
        unless=(*_TCP, RECORD),
    ),
    "ERR_NETWORK_ACCESS_DENIED": _cause(
        "this machine forbids the browser the network",
        "the system refused the browser a connection",
        _CLIENT,
        ("Let the browser reach {host}:{port} in this machine's firewall", ""),
        unless=_TCP,
    ),
    "ERR_CONNECTION_RESET": _cause(
        "the browser's connection is reset",
        "the connection ends with a reset. Chrome's ClientHello is larger than programs' (over 1,700 bytes, two "
        "packets), and asks for HTTP/2: what inspects or ends TLS on the way may break on either",
        _FRONT,
        (
            "Update what inspects or ends TLS before {host}: it must take a ClientHello in two packets",
            "Update what inspects or ends TLS before {host} (firewall, load balancer): it must take a ClientHello of "
            "more than one packet, which browsers send since they have post-quantum key exchange. Its log at this "
            "moment tells who reset the connection.",
        ),
        administrators="the policy PostQuantumKeyAgreementEnabled (false) makes Chrome's ClientHello small again, "
        "while Chrome still has it.",
        unless=(LARGE_HELLO, *_TCP, *_HANDSHAKE, *_ANSWERS),
    ),
    "ERR_CONNECTION_CLOSED": _cause(
        "the browser's connection is closed at once",
        "the connection is closed before an answer came",
        _FRONT,
        ("Look in the log of what ends TLS before {host} for why it closed the browser's connection", ""),
        unless=(LARGE_HELLO, *_TCP, *_HANDSHAKE, *_ANSWERS),
    ),
    "ERR_EMPTY_RESPONSE": _cause(
        "the browser's request gets an empty answer",
        "the connection closes without an answer",
        _FRONT,
        (
            "Look in the log of what answers for {host} why the browser's request got no answer",
            "Look in the log of what answers for {host} why the browser's request got no answer: a firewall (WAF) that "
            "drops what looks like a browser, or a server that closes idle connections early.",
        ),
        unless=(*_ANSWERS, "cors.web-app-may-call", "keepalive.backend-outlives-load-balancer"),
    ),
    "ERR_TIMED_OUT": _cause(
        "browsers get no answer in time",
        "no answer came in time",
        _FRONT,
        ("Find out where the browser's request to {host} waits: its log, then the API's", ""),
        unless=(*_TCP, *_ANSWERS, "cors.web-app-may-call", "readiness.answers-promptly"),
    ),
    # --- proxies ------------------------------------------------------------------------------------------------------
    "ERR_TUNNEL_CONNECTION_FAILED": _cause(
        "the browser's proxy opens no way to it",
        "the browser uses a proxy{managed}, and that refuses CONNECT to {host}:{port}",
        _WAY,
        _ALLOW_CONNECT,
        unless=_PROXY_LETS,
        snippets=_BYPASS,
    ),
    "ERR_PROXY_CONNECTION_FAILED": _cause(
        "the browser's proxy cannot be reached",
        "the browser is told to use a proxy{managed} that it cannot reach",
        _WAY,
        (
            "Correct the proxy in the browser's policy, or start it",
            "Correct the proxy that the browser is given (chrome://policy, system settings), or start it.",
        ),
        unless=_PROXY_LETS,
        snippets=_BYPASS,
    ),
    "ERR_PROXY_": _cause(
        "the browser's proxy does not let it through",
        "the proxy{managed} that the browser uses refuses it",
        _WAY,
        _ALLOW_CONNECT,
        unless=_PROXY_LETS,
        snippets=_BYPASS,
    ),
    "ERR_MANDATORY_PROXY_CONFIGURATION_FAILED": _cause(
        "the browser's proxy script cannot be used",
        "a policy makes a proxy script{managed} mandatory, and it cannot be fetched or run",
        _WAY,
        ("Make the proxy script (PAC) of the browser's policy reachable and correct", ""),
        unless=_PROXY_LETS,
    ),
    "ERR_PAC_": _cause(
        "the browser's proxy script cannot be used",
        "the proxy script{managed} cannot be fetched or run",
        _WAY,
        ("Make the proxy script (PAC) of the browser's policy reachable and correct", ""),
        unless=_PROXY_LETS,
    ),
    "ERR_NO_SUPPORTED_PROXIES": _cause(
        "the browser is given no proxy it can use",
        "the proxy settings{managed} name none that the browser supports for {host}",
        _WAY,
        ("Name a proxy in the browser's policy that it supports, or exempt {host}", ""),
        unless=_PROXY_LETS,
    ),
    "ERR_SOCKS_CONNECTION_": _cause(
        "the browser's SOCKS proxy does not connect",
        "the SOCKS proxy{managed} opens no connection to {host}:{port}",
        _WAY,
        _ALLOW_CONNECT,
        unless=_PROXY_LETS,
    ),
    # --- certificates -------------------------------------------------------------------------------------------------
    "ERR_CERT_AUTHORITY_INVALID": _cause(
        "browsers do not trust its certificate",
        "the browser does not know the CA of {host}'s certificate: Chrome brings its own list of CAs, and does not "
        "read the one of Linux systems",
        _PAPER,
        (
            "Use a certificate of a public CA for {host}, or give all browsers the private CA by policy",
            "Use a certificate of a public CA for {host}, with its whole chain; or give all browsers the private CA.",
        ),
        users="import the CA in the browser (chrome://certificate-manager), until it comes by policy.",
        administrators="distribute it with the policy CACertificates, or in the system's store on Windows and macOS.",
        unless=_TRUST,
        snippets=(
            Snippet(
                product="Linux users: NSS database",
                code="certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n company-ca -i ca.pem",
            ),
        ),
    ),
    "ERR_CERT_COMMON_NAME_INVALID": _cause(
        "its certificate is for another name",
        "the certificate does not name {host} in its subjectAltName; browsers ignore the common name",
        _PAPER,
        (_NEW, ""),
        unless=_TRUST,
    ),
    "ERR_CERT_DATE_INVALID": _cause(
        "its certificate has expired for browsers",
        "a certificate in the chain is not valid today",
        _PAPER,
        ("Renew the certificate of {host} with its whole chain, and check this machine's clock", ""),
        unless=(*_TRUST, "connection.certificate-is-not-expiring"),
    ),
    "ERR_CERT_REVOKED": _cause(
        "its certificate is revoked",
        "the browser knows from its list of revoked certificates that the CA withdrew this one; programs do not ask",
        _PAPER,
        ("Issue a new certificate for {host}: the CA has withdrawn this one", ""),
        unless=_TRUST,
    ),
    "ERR_CERTIFICATE_TRANSPARENCY_REQUIRED": _cause(
        "its certificate is in no public log",
        "a certificate of a public CA must be in Certificate Transparency logs, and this one proves none",
        _PAPER,
        ("Have the CA issue the certificate of {host} with signed certificate timestamps (SCT)", ""),
        administrators="the policy CertificateTransparencyEnforcementDisabledForUrls exempts internal hosts.",
        unless=_TRUST,
    ),
    "ERR_CERT_": _cause(
        "browsers refuse its certificate",
        "the certificate of {host} breaks a rule of browsers that programs do not keep",
        _PAPER,
        (_NEW, ""),
        unless=_TRUST,
    ),
    # --- TLS ----------------------------------------------------------------------------------------------------------
    "ERR_SSL_VERSION_OR_CIPHER_MISMATCH": _cause(
        "no TLS version, suite or key type in common",
        "browser and server share no TLS version, cipher suite, curve or type of key",
        _TLS,
        ("Offer TLS 1.3, or TLS 1.2 with ECDHE and GCM, and a certificate with an RSA or P-256 key", ""),
        unless=_HANDSHAKE,
        snippets=_SUITES,
    ),
    "ERR_SSL_KEY_USAGE_INCOMPATIBLE": _cause(
        "its certificate may not sign",
        "the key usage of the certificate forbids what the handshake has it do; programs do not look",
        _PAPER,
        ("Issue a new certificate with key usage digitalSignature", ""),
        unless=_HANDSHAKE,
    ),
    "ERR_SSL_CLIENT_AUTH_": _cause(
        "it demands a client certificate of browsers",
        "the server asks for a client certificate, and the browser has none that fits",
        _TLS,
        (
            "Ask for no client certificate where the web app calls, or give browsers one by policy",
            "Ask for no client certificate on the listener that the web app calls; or give every browser one, and name "
            "it in the policy AutoSelectCertificateForUrls.",
        ),
        unless=_HANDSHAKE,
    ),
    "ERR_BAD_SSL_CLIENT_AUTH_CERT": _cause(
        "it demands a client certificate of browsers",
        "the server refuses the client certificate that the browser showed, or that it showed none",
        _TLS,
        ("Ask for no client certificate where the web app calls, or give browsers a valid one", ""),
        unless=_HANDSHAKE,
    ),
    "ERR_SSL_UNRECOGNIZED_NAME_ALERT": _cause(
        "it does not know the name that browsers ask for",
        "the server answers the name {host} in the handshake with an alert",
        _TLS,
        ("Bind a certificate for {host} to the listener", ""),
        unless=_HANDSHAKE,
    ),
    "ERR_SSL_": _cause(
        "the TLS handshake with browsers fails",
        "the TLS handshake as the browser makes it fails, while programs' may succeed",
        _TLS,
        (
            "Look at what ends TLS before {host}: offer TLS 1.3 and TLS 1.2 with ECDHE and GCM",
            "Look at what ends TLS before {host}, and at what inspects it on the way: offer TLS 1.3 and TLS 1.2 with "
            "ECDHE and GCM, and take extensions that it does not know (RFC 8701).",
        ),
        unless=_HANDSHAKE,
        snippets=_SUITES,
    ),
    "ERR_TLS13_DOWNGRADE_DETECTED": _cause(
        "something on the way lowers the TLS version",
        "what stands between takes the handshake down from TLS 1.3",
        _NET,
        ("Update the firewall or proxy that opens TLS on the way to {host}", ""),
        unless=("egress.tls-not-intercepted",),
    ),
    # --- HTTP ---------------------------------------------------------------------------------------------------------
    "ERR_HTTP2_INADEQUATE_TRANSPORT_SECURITY": _cause(
        "HTTP/2 comes with a forbidden cipher suite",
        "the server chose HTTP/2 with a cipher suite that HTTP/2 forbids (RFC 9113 appendix A)",
        _TLS,
        ("Offer TLS 1.3, or put TLS 1.2 suites with ECDHE and GCM first", ""),
        unless=_HANDSHAKE,
        snippets=_SUITES,
    ),
    "ERR_HTTP2_": _cause(
        "its HTTP/2 breaks rules that browsers keep",
        "the answer over HTTP/2, which browsers choose where it is offered, breaks a rule of RFC 9113",
        _FRONT,
        (
            "Correct the answer's headers or the HTTP/2 of what ends TLS before {host}, or offer http/1.1 alone",
            "Correct what answers over HTTP/2 for {host}: headers such as Connection, Transfer-Encoding or Upgrade are "
            "forbidden there (RFC 9113 section 8.2.2). Until then offer http/1.1 alone in ALPN.",
        ),
        unless=_ANSWERS,
        snippets=(
            Snippet(product="nginx", code="http2 off;"),
            Snippet(product="HAProxy", code="bind :443 ssl alpn http/1.1"),
        ),
    ),
    "ERR_INVALID_HTTP_RESPONSE": _cause(
        "its answer is no HTTP for browsers",
        "what came is no HTTP answer that browsers accept",
        _FRONT,
        ("Let what answers for {host} send a correct HTTP answer", ""),
        unless=_ANSWERS,
    ),
    "ERR_RESPONSE_HEADERS_": _cause(
        "browsers refuse its answer's headers",
        "the answer's headers are too large, or one of Content-Length, Location and Content-Disposition stands there "
        "twice with different values",
        _FRONT,
        ("Let one hop alone set Content-Length, Location and Content-Disposition, and keep headers below 256 KB", ""),
        unless=_ANSWERS,
    ),
    "ERR_CONTENT_DECODING_": _cause(
        "browsers cannot decode its compressed answers",
        "the body is not what its Content-Encoding says (browsers ask for gzip, deflate, br and zstd; programs often "
        "for none of them)",
        _FRONT,
        (
            "Let one hop alone compress, and set Content-Encoding to what it did",
            "Let one hop alone compress the answers of {host}, and name in Content-Encoding what it did; turn br and "
            "zstd off where the header is set for a body that is not.",
        ),
        unless=("gateway.compressed-answers-unpack", *_ANSWERS),
        snippets=(Snippet(product="nginx", code="gzip off;\nbrotli off;"),),
    ),
    "ERR_ZSTD_": _cause(
        "browsers cannot decode its compressed answers",
        "the zstd window is larger than the 8 MB that browsers take (RFC 9659)",
        _FRONT,
        ("Compress with zstd at a window of 8 MB at most, or with br or gzip", ""),
        unless=("gateway.compressed-answers-unpack",),
    ),
    "ERR_CONTENT_LENGTH_MISMATCH": _cause(
        "its answers are cut short",
        "the body is shorter than its Content-Length",
        _FRONT,
        ("Find out which hop cuts the answers of {host} short: limits, buffers, restarts", ""),
        unless=_ANSWERS,
    ),
    "ERR_INCOMPLETE_CHUNKED_ENCODING": _cause(
        "its answers are cut short",
        "the chunked body ends without its last chunk",
        _FRONT,
        ("Find out which hop ends the answers of {host} early: timeouts, restarts, buffers", ""),
        unless=_ANSWERS,
    ),
    "ERR_INVALID_CHUNKED_ENCODING": _cause(
        "its answers are no correct chunks",
        "the body says that it is chunked, and is not",
        _FRONT,
        ("Let one hop alone set Transfer-Encoding", ""),
        unless=_ANSWERS,
    ),
    "ERR_TOO_MANY_REDIRECTS": _cause(
        "it redirects in a circle",
        "the browser followed 20 redirects and came to no end",
        _FRONT,
        ("Let what ends TLS tell the API so (X-Forwarded-Proto: https), and redirect in one place only", ""),
        unless=(*_ANSWERS, "cors.web-app-may-call"),
    ),
    "ERR_INVALID_REDIRECT": _cause(
        "it redirects to where browsers do not follow",
        "the redirect leads to no URL that a page may call",
        _FRONT,
        ("Correct the Location of the redirect", ""),
        unless=_CORS,
    ),
    # --- policies and the browser itself ------------------------------------------------------------------------------
    "ERR_BLOCKED_BY_ADMINISTRATOR": _cause(
        "a policy of the browser blocks it",
        "an enterprise policy (URLBlocklist) blocks {host}",
        _HERE,
        ("Take {host} out of URLBlocklist, or name it in URLAllowlist (chrome://policy shows both)", ""),
        snippets=(
            Snippet(product="Linux: /etc/opt/chrome/policies/managed/allow.json", code='{"URLAllowlist": ["{host}"]}'),
        ),
    ),
    "ERR_BLOCKED_BY_CLIENT": _cause(
        "an extension of the browser blocks it",
        "an extension or a filter in the browser blocks the request",
        _HERE,
        ("Exempt {host} in the extension or filter that blocks it", ""),
    ),
    "ERR_BLOCKED_BY_RESPONSE": _cause(
        "an isolation header keeps pages from reading it",
        "a header (Cross-Origin-Resource-Policy, or the like) forbids pages of other origins to read the answer",
        _FRONT,
        ("Send Cross-Origin-Resource-Policy: cross-origin, or no such header, on the API's answers", ""),
        unless=_CORS,
    ),
    "ERR_BLOCKED_BY_LOCAL_NETWORK_ACCESS_CHECKS": _cause(
        "browsers ask for the local network first",
        "the browser met an address of {host} that is not public, unlike this machine's programs",
        _HERE,
        (
            "Let {host} have the same addresses for browsers and programs (resolvers, secure DNS, hosts file)",
            "Let {host} have the same addresses for browsers and programs: compare their resolvers (secure DNS, hosts "
            "file). Until then users have to click Allow.",
        ),
        unless=("lna.web-app-reaches-target", "dns.addresses-share-a-space", "dns.resolvers-agree"),
        weight=Weight.ASKS,
    ),
    "ERR_NETWORK_CHANGED": _cause(
        "this machine's network changed meanwhile",
        "this machine's network changed while the browser asked",
        _CLIENT,
        ("Run btdiag again", ""),
        weight=Weight.UNKNOWN,
    ),
    "ERR_INTERNET_DISCONNECTED": _cause(
        "the browser sees no network on this machine",
        "the browser sees no network on this machine",
        _CLIENT,
        ("Run btdiag again, with a network", ""),
        unless=_TCP,
        weight=Weight.UNKNOWN,
    ),
    "ERR_INSUFFICIENT_RESOURCES": _cause(
        "this machine lacks memory for the browser",
        "this machine lacks memory or sockets for the browser",
        _CLIENT,
        ("Run btdiag again on a machine with more memory", ""),
        weight=Weight.UNKNOWN,
    ),
}
"""By code without "net::"; one that ends with "_" stands for all that begin so. The first that fits counts."""

ALIASES = {
    "ERR_NAME_RESOLUTION_FAILED": "ERR_NAME_NOT_RESOLVED",
    "ERR_DNS_TIMED_OUT": "ERR_NAME_NOT_RESOLVED",
    "ERR_DNS_SERVER_FAILED": "ERR_NAME_NOT_RESOLVED",
    "ERR_DNS_MALFORMED_RESPONSE": "ERR_NAME_NOT_RESOLVED",
    "ERR_DNS_SECURE_RESOLVER_HOSTNAME_RESOLUTION_FAILED": "ERR_NAME_NOT_RESOLVED",
    "ERR_CONNECTION_FAILED": "ERR_CONNECTION_TIMED_OUT",
    "ERR_CONNECTION_ABORTED": "ERR_CONNECTION_RESET",
    "ERR_SOCKET_NOT_CONNECTED": "ERR_CONNECTION_RESET",
    "ERR_HTTP2_SERVER_REFUSED_STREAM": "ERR_HTTP2_",
    "ERR_HTTP_1_1_REQUIRED": "ERR_HTTP2_",
    "ERR_INVALID_RESPONSE": "ERR_INVALID_HTTP_RESPONSE",
    "ERR_UNSAFE_REDIRECT": "ERR_INVALID_REDIRECT",
    "ERR_NETWORK_IO_SUSPENDED": "ERR_NETWORK_CHANGED",
    "ERR_UNEXPECTED_PROXY_AUTH": "ERR_PROXY_",
    "ERR_HTTPS_PROXY_TUNNEL_RESPONSE_REDIRECT": "ERR_TUNNEL_CONNECTION_FAILED",
    "ERR_WRONG_VERSION_ON_EARLY_DATA": "ERR_SSL_",
    "ERR_EARLY_DATA_REJECTED": "ERR_SSL_",
}
"""Codes that mean the same for whoever has to act."""

MIXED = _cause(
    "an https page may not call an http:// URL",
    "the call is mixed content: an https page may not call {url}",
    _FRONT,
    ("Serve it over https", ""),
    unless=(SCHEME,),
)
TO_HTTP = _cause(
    "it redirects to http, which browsers block",
    "it redirects to {url}, and an https page may not call http:// (mixed content); programs follow, without the key",
    _FRONT,
    (
        "Let what ends TLS tell the API so: X-Forwarded-Proto: https, and let the API trust it",
        "Let what ends TLS tell the API that its clients use https (X-Forwarded-Proto: https), and let the API believe "
        "it; or take the redirect away.",
    ),
    unless=("readiness.root-answers", "gateway.routes-reach-their-backend"),
    snippets=(
        Snippet(product="nginx", code="proxy_set_header X-Forwarded-Proto $scheme;\nproxy_redirect http:// https://;"),
        Snippet(product="HAProxy", code="http-request set-header X-Forwarded-Proto https"),
    ),
)
ELSEWHERE = _cause(
    "it sends browsers on to another host",
    "it sends the page on to {url}, which was not contacted",
    _FRONT,
    ("Answer the API's paths without a redirect to another host", ""),
    unless=_CORS,
    weight=Weight.UNKNOWN,
)
SILENT = _cause(
    "browsers get no answer",
    "no answer came within {limit} s, and no error; a server that asks for a client certificate makes browsers wait so",
    _FRONT,
    ("Find out where the browser's request to {host} waits: its log, then the API's", ""),
    unless=(LARGE_HELLO, *_ANSWERS, *_HANDSHAKE, "cors.web-app-may-call", "readiness.answers-promptly"),
)
CORS = _cause(
    "CORS refuses what the web app sends",
    "the answer to the page's request does not allow it ({code})",
    _FRONT,
    (
        "Let OPTIONS and Origin reach the API, and its answers pass unchanged",
        "Let OPTIONS, Origin and Access-Control-Request-* reach the API and its answers pass unchanged; compare the "
        "log of the browser's request with that of a program's, for programs' requests with the same headers passed.",
    ),
    unless=_CORS,
)
ERROR_PAGE = _cause(
    "it answers with a gateway's error page",
    "the answer is an error page without CORS headers, so that the page sees a CORS error; the error is the cause",
    _FRONT,
    ("Find the cause of the error in the load balancer's log at this moment, then in the API's", ""),
    unless=(
        *_CORS,
        "readiness.no-unexplained-errors",
        "keepalive.backend-outlives-load-balancer",
        "keepalive.no-silent-drop",
        "keepalive.race-is-contained",
    ),
)
BUCKET_CORS = _cause(
    "its CORS rules refuse the web app's page",
    "the bucket does not allow the page's origin ({code})",
    (HopName.API, Owner.API),
    ("Allow the web app's origin for GET in the bucket's CORS rules", ""),
    unless=("cors.bucket-lets-the-web-app-read",),
)
PERMISSION = CODES["ERR_BLOCKED_BY_LOCAL_NETWORK_ACCESS_CHECKS"]
UNKNOWN_CODE = _cause(
    "the browser refuses what programs get",
    "the browser ends the request with this error; btdiag has no explanation for it",
    (HopName.BROWSER, Owner.LOAD_BALANCER),
    (
        "Look the code up, and compare the browser's request with a program's in the load balancer's log",
        "Look the code up (chrome://network-errors), record the request with chrome://net-export, and compare it with "
        "a program's in the load balancer's log.",
    ),
    unless=(*_TCP, *_HANDSHAKE, *_TRUST, *_CORS),
)


def cause_of_code(code: str) -> CodeMeaning | None:
    """The cause behind a net error ("net::ERR_..."); None where the table does not have it."""
    bare = code.removeprefix("net::").partition(".")[0]
    bare = ALIASES.get(bare, bare)
    exact = CODES.get(bare)
    return exact or next((cause for key, cause in CODES.items() if key.endswith("_") and bare.startswith(key)), None)
