"""What only browsers refuse: http:// beside https, bad ports, certificates and suites that programs take."""

from btdiag.lab.faults.connection import ShowsCertificate
from btdiag.lab.faults.gateway import KeepsStreams, Mislabels
from btdiag.lab.faults.http import Headers
from btdiag.lab.faults.names import DnsAnswers, Tells
from btdiag.lab.plan import Backend, Balancer, Tls
from btdiag.lab.scenario import PAGE, Scenario

OWN_PAGE = "http://localhost:3000"

GATEWAY_OVER_HTTP = Scenario(
    name="gateway-over-http",
    summary="The AI gateway has an http:// URL, which the web app's https page may not call.",
    options=("--gateway", "http://gateway.lab.example"),
    fails=("browser.scheme-is-secure",),
)

GATEWAY_KNOWN_FOR_HTTPS = Scenario(
    name="gateway-known-for-https",
    summary="The web app is served over http, and calls a gateway over http that browsers know for https alone (HSTS).",
    faults=(Backend(origins=(OWN_PAGE,)), Tells("origin", [OWN_PAGE])),
    options=("--gateway", "http://gateway.lab.dev", "--browser", "none"),
    fails=("browser.scheme-is-secure",),
)

GATEWAY_ON_BAD_PORT = Scenario(
    name="gateway-on-bad-port",
    summary="The AI gateway listens on a port that browsers do not call.",
    options=("--gateway", "https://gateway.lab.example:10080"),
    fails=("browser.port-is-allowed",),
)

TLS_CURVE_NO_BROWSER_TAKES = Scenario(
    name="tls-curve-no-browser-takes",
    summary="The certificate has a P-521 key: programs take it, Chrome does not.",
    faults=(ShowsCertificate(kind="curve-no-browser-takes"),),
    fails=("browser.certificate-is-accepted",),
)

TLS_SUITE_NO_BROWSER_HAS = Scenario(
    name="tls-suite-no-browser-has",
    summary="TLS 1.2 with one suite, which programs offer and browsers do not.",
    faults=(Balancer(tls=Tls(maximum="1.2", ciphers="ECDHE-ECDSA-AES128-SHA256")),),
    fails=("browser.certificate-is-accepted",),
)

KEPT_FOR_ONE_ORIGIN = Scenario(
    name="cors-private-cache",
    summary="Browsers keep the API's answers, and answer another page of the web app's site from there.",
    faults=(Headers(drop=("vary",), set=(("Cache-Control", "private, max-age=600"),)),),
    fails=("browser.caches-keep-origins-apart",),
)

BROTLI_IN_NAME_ONLY = Scenario(
    name="cors-brotli",
    summary="The gateway marks answers as br that are not, to browsers alone: programs do not ask for it.",
    faults=(Mislabels(coding="br"),),
    fails=("cors.web-app-may-call",),
    skips=(PAGE,),
)

RECORD_OF_A_FORMER_CDN = Scenario(
    name="https-record-stale",
    summary="The name's HTTPS record hints at addresses of a CDN that is not in front any more.",
    faults=(DnsAnswers(https='1 . alpn="h2" ipv4hint="203.0.113.9"'),),
    warns=("browser.https-record-agrees",),
)

GATEWAY_WITHOUT_A_NAME = Scenario(
    name="gateway-without-a-name",
    summary="The AI gateway that the web app's page calls has a name that DNS does not know.",
    options=("--gateway", "https://gateway.lab.example"),
    fails=(PAGE,),
)

STREAMS_TAKE_ALL_CONNECTIONS = Scenario(
    name="streams-over-http1",
    summary="The listener offers HTTP/1.1 only, and event streams stay open: six of them are all that a browser opens.",
    faults=(KeepsStreams(),),
    options=("--browser", "none"),
    warns=(PAGE,),
)
