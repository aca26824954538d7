"""What only browsers meet: rules that they keep and programs do not know."""

from __future__ import annotations

from btdiag.core.finding import Finding, conclude
from btdiag.core.handshake import Connection
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.target import Target
from btdiag.families.browser.facts import BrowserHandshake, PlaceRecords
from btdiag.families.browser.judge import answers, caches, records, rules
from btdiag.families.cors.facts import CorsSurvey
from btdiag.families.lna.facts import BrowserSurvey


def check_page_gets_its_answers(browser_survey: BrowserSurvey) -> Finding:
    """The web app's page in a real browser gets an answer to each kind of call that it makes.

    Browsers keep rules that curl and SDKs do not: certificates, cipher suites, HTTP/2, HTTPS records, ports, redirects,
    proxies and policies of their own. What programs get and the browser refuses is "Failed to fetch" in the web app,
    whatever the cause; the browser's own error code tells which.

    Measured: a page of the web app's origin, made up locally, in an installed Chrome, Edge or Chromium, calls the
    target, --gateway and --bucket where they are https: a simple read, one with a preflight, a POST to a path that does
    not exist, an event stream. Redirects are followed as `fetch` does, but to no other host. What fails at once is
    tried three times. No key goes to the browser. What another check fails for is told there.

    Remedy: the finding names the code, what it means, the hop and who can change it.

    Sources: https://chromium.googlesource.com/chromium/src/+/main/net/base/net_error_list.h;
    https://fetch.spec.whatwg.org/#fetching
    """
    return conclude(answers.page_gets_its_answers(browser_survey))


def check_https_record_agrees(
    https_records: tuple[PlaceRecords, ...], browser_handshake: BrowserHandshake | NotMeasured, target: Target
) -> Finding:
    """HTTPS records tell browsers nothing else than the addresses tell programs.

    Browsers ask DNS for HTTPS records (type 65) too, and follow them: other addresses, another port, protocols, a key
    for Encrypted ClientHello. One that a former CDN left behind sends browsers where no program goes.

    Measured: one question of type 65 for the host of the target, --gateway and --bucket, to the name servers of this
    machine; the record is held against the addresses, the URL's port, and the protocol that a handshake as browsers
    make it agrees on.

    Remedy: give the record the same addresses, port and protocols as the load balancer has, or remove it.

    Sources: RFC 9460; RFC 9848
    """
    return conclude(records.https_record_agrees(https_records, browser_handshake, target))


def check_caches_keep_origins_apart(cors_survey: PerAddress[CorsSurvey]) -> Finding:
    """The browser's own cache gives no page of the web app what was meant for another.

    Cache-Control: private keeps shared caches away, and not the browser's. All pages of one site have one cache there:
    without Vary: Origin an answer that was kept for www is given to preview, whose page may not read it.

    Measured: answers to simple requests that a browser may keep and shared caches may not, without Vary: Origin, whose
    Access-Control-Allow-Origin depends on Origin; each asked again as another page of the same site would.

    Remedy: send Vary: Origin where the answer depends on it, or Cache-Control: no-store.

    Sources: https://fetch.spec.whatwg.org/#cors-protocol-and-http-caches; RFC 9111 section 5.2.2.7
    """
    return conclude(caches.browser_keeps_origins_apart(cors_survey.facts))


def check_scheme_is_secure(target: Target) -> Finding:
    """The web app's page calls https:// URLs only, or this machine itself.

    A page that came over https may not call http:// ones: browsers block such calls as mixed content, without a word
    to the server. curl and SDKs have no such rule.

    Measured: nothing is sent. The URLs of the target, --gateway and --bucket are held against the standards: loopback
    addresses, localhost and *.localhost count as secure; of literal private addresses and names in .local, Chrome and
    Edge ask their users since 142.

    Remedy: bind a certificate to the listener, and name the https:// URL in the web app's settings.

    Sources: https://www.w3.org/TR/mixed-content/; https://www.w3.org/TR/secure-contexts/
    """
    return conclude(rules.scheme_is_secure(target))


def check_port_is_allowed(target: Target) -> Finding:
    """Browsers send requests to the port.

    Ports of other protocols (25, 6000, 10080 and some eighty more) are closed to every page, whatever answers there:
    Chrome says ERR_UNSAFE_PORT. Programs call them.

    Measured: nothing is sent. The ports of the target, --gateway and --bucket are held against the Fetch standard's
    list of bad ports.

    Remedy: let the load balancer listen on 443, and change the URL in the web app's settings.

    Sources: https://fetch.spec.whatwg.org/#port-blocking
    """
    return conclude(rules.port_is_allowed(target))


def check_certificate_is_accepted(
    connection: PerAddress[Connection], browser_handshake: BrowserHandshake | NotMeasured, target: Target
) -> Finding:
    """Browsers take the certificate and the cipher suite that programs take.

    Browsers know fewer key types, curves and suites than OpenSSL, ignore a common name, hold the key usage against the
    handshake and forbid old suites for HTTP/2. The web app then says "Failed to fetch", while curl is content.

    Measured: the certificate of each address: key, names, key usage, validity; and one handshake that offers the
    suites of Chrome 156, with HTTP/2 first. A certificate that programs do not trust is judged by tls-is-trusted.

    Remedy: have a certificate issued with an RSA 2048 or EC P-256 key and digitalSignature; offer TLS 1.3, or TLS 1.2
    suites with ECDHE and GCM first.

    Sources: RFC 9113 section 9.2.2 and appendix A; RFC 5280 section 4.2.1.3
    """
    return conclude(rules.certificate_is_accepted(connection.facts, browser_handshake, target))
