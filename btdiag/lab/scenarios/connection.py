"""Addresses that cannot be connected to, TLS that does not come about or is not to be trusted, proxies in the way."""

from btdiag.lab.faults.connection import (
    BreaksHandshake,
    DemandsClientCertificate,
    OffersTlsVersions,
    PlainPort,
    Refuses,
    ShowsCertificate,
    Silent,
)
from btdiag.lab.faults.http import SkewsClock
from btdiag.lab.faults.names import ThroughProxy
from btdiag.lab.plan import LabProxy
from btdiag.lab.scenario import BEYOND_TCP, PAGE, PAST_FRONT, UNTRUSTED, Scenario

TCP_REFUSED = Scenario(
    name="tcp-refused",
    summary="Every address refuses connections.",
    faults=(Refuses(),),
    fails=("connection.tcp-connects",),
    skips=BEYOND_TCP,
    passes=PAST_FRONT,
)

TCP_REFUSED_ONE = Scenario(
    name="tcp-refused-one",
    summary="One of the addresses refuses connections.",
    faults=(Refuses(("127.0.0.3",)),),
    fails=("connection.tcp-connects",),
)

TCP_SILENT_ONE = Scenario(
    name="tcp-silent-one",
    summary="One of the addresses does not answer at all.",
    faults=(Silent(("127.0.0.3",)),),
    fails=("connection.tcp-connects",),
)

IPV6_BROKEN = Scenario(
    name="ipv6-broken",
    summary="The IPv6 address refuses connections, the IPv4 ones are fine.",
    faults=(Refuses(("::1",)),),
    warns=("connection.tcp-connects",),
)

TLS_EXPIRED = Scenario(
    name="tls-expired",
    summary="The certificate expired yesterday.",
    faults=(ShowsCertificate(kind="expired"),),
    fails=("connection.tls-is-trusted",),
    skips=(
        *UNTRUSTED,
        "connection.certificate-is-not-expiring",
    ),
)

TLS_EXPIRED_ONE = Scenario(
    name="tls-expired-one",
    summary="One of the addresses still shows the old certificate, which expired yesterday.",
    faults=(ShowsCertificate(kind="expired", addresses=("127.0.0.3",)),),
    fails=("connection.tls-is-trusted",),
    passes=(PAGE,),  # the browser is sent to the first address
)

TLS_EXPIRES_SOON = Scenario(
    name="tls-expires-soon",
    summary="The certificate expires in five days.",
    faults=(ShowsCertificate(kind="expires-soon"),),
    warns=("connection.certificate-is-not-expiring",),
)

TLS_NOT_YET_VALID = Scenario(
    name="tls-not-yet-valid",
    summary="The certificate becomes valid the day after tomorrow.",
    faults=(ShowsCertificate(kind="not-yet-valid"),),
    fails=("connection.tls-is-trusted",),
    skips=(*UNTRUSTED,),
)

TLS_WRONG_NAME = Scenario(
    name="tls-wrong-name",
    summary="The certificate is for other host names.",
    faults=(ShowsCertificate(kind="wrong-name"),),
    fails=("connection.tls-is-trusted",),
    skips=(*UNTRUSTED,),
)

TLS_SELF_SIGNED = Scenario(
    name="tls-self-signed",
    summary="The certificate has signed itself.",
    faults=(ShowsCertificate(kind="self-signed"),),
    fails=("connection.tls-is-trusted",),
    skips=(*UNTRUSTED,),
)

TLS_PLACEHOLDER = Scenario(
    name="tls-placeholder",
    summary="The ingress controller shows its own placeholder, for it has no secret for the host.",
    faults=(ShowsCertificate(kind="placeholder"),),
    fails=("connection.tls-is-trusted",),
    skips=(*UNTRUSTED,),
)

TLS_MISSING_INTERMEDIATE = Scenario(
    name="tls-missing-intermediate",
    summary="The server forgets to send its intermediate certificate.",
    faults=(ShowsCertificate(kind="missing-intermediate"),),
    fails=("connection.tls-is-trusted",),
    skips=(*UNTRUSTED,),
)

TLS_INSPECTED = Scenario(
    name="tls-inspected",
    summary="A corporate firewall opens TLS and shows a certificate of its own.",
    faults=(ShowsCertificate(kind="inspected"),),
    fails=("connection.tls-is-trusted",),
    skips=(*UNTRUSTED,),
)

TLS_UNKNOWN_CA = Scenario(
    name="tls-unknown-ca",
    summary="The certificate comes from a private CA that this machine does not know.",
    faults=(ShowsCertificate(kind="unknown-ca"),),
    fails=("connection.tls-is-trusted",),
    skips=(*UNTRUSTED,),
)

TLS_OLD_VERSIONS = Scenario(
    name="tls-old-versions",
    summary="The load balancer speaks TLS 1.0 and 1.1 only.",
    faults=(OffersTlsVersions(minimum="1.0", maximum="1.1"),),
    fails=("connection.tls-versions-suffice",),
    skips=BEYOND_TCP,
    passes=("connection.tcp-connects", *PAST_FRONT),
)

TLS_OLD_VERSIONS_TOO = Scenario(
    name="tls-old-versions-too",
    summary="The load balancer still takes TLS 1.0 and 1.1 beside the newer ones.",
    faults=(OffersTlsVersions(minimum="1.0", maximum="1.3"),),
    warns=("connection.tls-versions-suffice",),
)

TLS_1_3_ONLY = Scenario(
    name="tls-1.3-only",
    summary="The load balancer speaks TLS 1.3 only: fine for all that is supported.",
    faults=(OffersTlsVersions(minimum="1.3", maximum="1.3"),),
)

TLS_CLIENT_CERTIFICATE = Scenario(
    name="tls-client-certificate",
    summary="The load balancer demands a client certificate, and the run has none.",
    faults=(DemandsClientCertificate(),),
    fails=("connection.tls-handshake-completes",),
    skips=BEYOND_TCP,
    passes=(
        "connection.tcp-connects",
        "connection.tls-is-trusted",
        "connection.certificate-is-not-expiring",
        *PAST_FRONT,
    ),
)

TLS_PLAIN_HTTP = Scenario(
    name="tls-plain-http",
    summary="The port for TLS speaks plain HTTP.",
    faults=(BreaksHandshake(how="plain-http"),),
    fails=("connection.tls-handshake-completes",),
    skips=BEYOND_TCP,
    passes=("connection.tcp-connects", *PAST_FRONT),
)

TLS_RESET = Scenario(
    name="tls-reset",
    summary="The connection is reset after the ClientHello.",
    faults=(BreaksHandshake(how="resets"),),
    fails=("connection.tls-handshake-completes",),
    skips=BEYOND_TCP,
    passes=("connection.tcp-connects", *PAST_FRONT),
)

TLS_SILENT = Scenario(
    name="tls-silent",
    summary="Nothing comes back after the ClientHello.",
    faults=(BreaksHandshake(how="silent"),),
    fails=("connection.tls-handshake-completes",),
    skips=BEYOND_TCP,
    passes=("connection.tcp-connects", *PAST_FRONT),
)

HTTP_NO_REDIRECT = Scenario(
    name="http-no-redirect",
    summary="The port for plain HTTP serves the API instead of redirecting to https.",
    faults=(PlainPort(does="serves"),),
    warns=("connection.plain-http-redirects",),
)

HTTP_CLOSED = Scenario(
    name="http-closed",
    summary="The port for plain HTTP is closed, which is as good as a redirect.",
    faults=(PlainPort(does="refuses"),),
)

HTTP_SPEAKS_TLS = Scenario(
    name="http-speaks-tls",
    summary="The port for plain HTTP speaks TLS.",
    faults=(PlainPort(does="tls"),),
    warns=("connection.plain-http-redirects",),
)

CLOCK_SKEW = Scenario(
    name="clock-skew",
    summary="The data plane's clock is ten minutes ahead.",
    faults=(SkewsClock(seconds=600.0, plain_port_too=True),),
    warns=("connection.clocks-agree",),
)

EGRESS = ("egress.required-hosts-reachable", "egress.tls-not-intercepted")  # by the same proxy as the target

PROXY_REFUSES = Scenario(
    name="proxy-refuses",
    summary="The proxy refuses to connect to the data plane (403).",
    faults=(ThroughProxy(), LabProxy(denies=403)),
    fails=("connection.proxy-lets-through",),
    skips=(*BEYOND_TCP, *EGRESS),
    passes=PAST_FRONT,
)

PROXY_DEMANDS_LOGIN = Scenario(
    name="proxy-demands-login",
    summary="The proxy demands a login (407), and the run has none.",
    faults=(ThroughProxy(), LabProxy(credentials="lab:proxy-password")),
    fails=("connection.proxy-lets-through",),
    skips=(*BEYOND_TCP, *EGRESS),
    passes=PAST_FRONT,
)

PROXY_INTERCEPTS = Scenario(
    name="proxy-intercepts",
    summary="The proxy opens TLS and shows a certificate of its own.",
    faults=(ThroughProxy(), LabProxy(intercepts=True)),
    fails=("connection.tls-is-trusted",),
    skips=(
        *UNTRUSTED,
        "egress.tls-not-intercepted",
        "egress.required-hosts-reachable",
    ),
)

PROXY_CUTS_IDLE = Scenario(
    name="proxy-cuts-idle",
    summary="The proxy ends tunnels that are idle for 4.5 seconds, before pooled connections are given up.",
    faults=(ThroughProxy(), LabProxy(cuts_idle_after=4.5)),
    warns=("keepalive.front-idle-timeout-suffices",),
)

PROXY_DEAD = Scenario(
    name="proxy-dead",
    summary="The proxy's port refuses connections.",
    faults=(ThroughProxy(), LabProxy(down=True)),
    fails=("connection.proxy-lets-through",),
    skips=(*BEYOND_TCP, *EGRESS),
    passes=PAST_FRONT,
)
